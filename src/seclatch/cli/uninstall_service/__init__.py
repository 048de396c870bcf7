"""`seclatch uninstall watch`: services beside the engines that `seclatch uninstall` knows."""
