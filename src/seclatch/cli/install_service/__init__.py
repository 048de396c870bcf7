"""`seclatch install watch`: services beside the engines that `seclatch install` knows."""
