// A web server on /run/web.sock, with a thread for each connection: files, hashes, sums, lists.
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.LongStream;

public class WebServer {
    static final ConcurrentHashMap<String, byte[]> KEPT = new ConcurrentHashMap<>();

    public static void main(String[] words) throws Exception {
        ExecutorService pool = Executors.newCachedThreadPool();
        ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        listener.bind(UnixDomainSocketAddress.of("/run/web.sock"));
        while (true) {
            SocketChannel client = listener.accept();
            pool.execute(() -> serve(client));
        }
    }

    static void serve(SocketChannel client) {
        try (client) {
            InputStream input = Channels.newInputStream(client);
            OutputStream output = Channels.newOutputStream(client);
            boolean again = true;
            for (String line; again && !(line = readLine(input)).isEmpty();) {
                int length = 0;
                for (String head; !(head = readLine(input)).isEmpty();) {
                    String lower = head.toLowerCase();
                    if (lower.startsWith("content-length:"))
                        length = Integer.parseInt(lower.substring(15).trim());
                    again &= !lower.equals("connection: close");
                }
                String[] request = line.split(" ");
                byte[] body = input.readNBytes(length);
                byte[] answer;
                String status = "200 OK";
                try {
                    answer = answer(request[0], request[1], body);
                } catch (Exception error) {
                    status = "404 Not Found";
                    answer = error.toString().getBytes();
                }
                String head = "HTTP/1.1 " + status + "\r\nContent-Length: " + answer.length + "\r\n\r\n";
                output.write(head.getBytes(StandardCharsets.US_ASCII));
                output.write(answer);
            }
        } catch (Exception error) {
            System.err.println(error);
        }
    }

    static String readLine(InputStream input) throws Exception {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int next; (next = input.read()) >= 0 && next != '\n';)
            if (next != '\r')
                line.write(next);
        return line.toString(StandardCharsets.US_ASCII);
    }

    static byte[] answer(String method, String path, byte[] body) throws Exception {
        if (method.equals("PUT")) {
            KEPT.put(path, body);
            return new byte[0];
        }
        if (method.equals("POST"))
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body)).getBytes();
        if (path.startsWith("/kept"))
            return KEPT.get(path);
        if (path.startsWith("/sum/"))
            return ("" + LongStream.rangeClosed(1, Long.parseLong(path.substring(5))).parallel().sum()).getBytes();
        if (path.startsWith("/garbage/")) {
            for (int i = 0; i < 64; i++)
                KEPT.put("/garbage/" + i % 4, new byte[1 << 20]);
            return new byte[0];
        }
        return Files.readAllBytes(Path.of("/run/www" + path));
    }
}
