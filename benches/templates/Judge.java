import com.jayway.jsonpath.DocumentContext;
import com.jayway.jsonpath.JsonPath;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import net.minidev.json.JSONValue;
import org.apache.commons.lang.StringEscapeUtils;
import org.apache.velocity.VelocityContext;
import org.apache.velocity.context.InternalContextAdapterImpl;
import org.apache.velocity.runtime.RuntimeInstance;
import org.apache.velocity.runtime.parser.node.SimpleNode;

/**
 * What Velocity 1.7 and Jayway take for the bench's templates and paths, warmed up, best of many batches.
 *
 * Arguments: a folder with `template.vtl`, `body.json` and `paths` (one a line). Leaves what the template prints in
 * `printed` and what each path finds in `found`, and prints lines of a name, a tab and nanoseconds.
 */
public final class Judge {
    private static volatile Object sink;

    /** `$input` as one would write it: the payload is parsed when a path is first asked for, once a render. */
    public static final class Input {
        private final String body;
        private DocumentContext document;

        Input(String body, DocumentContext document) {
            this.body = body;
            this.document = document;
        }

        private Object read(String path) {
            if (document == null) {
                document = JsonPath.parse(body);
            }
            return document.read(path);
        }

        public Object path(String path) {
            return read(path);
        }

        public String json(String path) {
            return JSONValue.toJSONString(read(path));
        }

        public String params(String name) {
            return name.equals("page") ? "2" : "";
        }

        public String getBody() {
            return body;
        }
    }

    /** `$util`. */
    public static final class Util {
        public String escapeJavaScript(String text) {
            return StringEscapeUtils.escapeJavaScript(text);
        }
    }

    private interface Work {
        Object run() throws Exception;
    }

    private static void measure(String name, Work work) throws Exception {
        long end = System.nanoTime() + 4_000_000_000L;
        while (System.nanoTime() < end) {
            sink = work.run();
        }
        int batch = 40;
        double best = Double.MAX_VALUE;
        for (int round = 0; round < 1500; round++) {
            long begun = System.nanoTime();
            for (int at = 0; at < batch; at++) {
                sink = work.run();
            }
            best = Math.min(best, (double) (System.nanoTime() - begun) / batch);
        }
        System.out.println(name + "\t" + best);
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        String source = Files.readString(folder.resolve("template.vtl"));
        String body = Files.readString(folder.resolve("body.json"));

        RuntimeInstance velocity = new RuntimeInstance();
        velocity.setProperty("runtime.log.logsystem.class", "org.apache.velocity.runtime.log.NullLogChute");
        velocity.setProperty("velocimacro.library", "");
        velocity.init();
        SimpleNode template = velocity.parse(new StringReader(source), "bench");
        template.init(new InternalContextAdapterImpl(new VelocityContext()), velocity);

        Map<String, Object> identity = Map.of("sourceIp", "192.0.2.1");
        Map<String, Object> request = Map.of("identity", identity, "stage", "prod");
        Map<String, Object> stage = Map.of("env", "prod");
        Util util = new Util();
        DocumentContext parsed = JsonPath.parse(body);
        class Renderer {
            String render(DocumentContext document) throws Exception {
                Map<String, Object> variables = new HashMap<>();
                variables.put("input", new Input(body, document));
                variables.put("util", util);
                variables.put("context", request);
                variables.put("stageVariables", stage);
                InternalContextAdapterImpl context = new InternalContextAdapterImpl(new VelocityContext(variables));
                context.pushCurrentTemplateName("bench");
                StringWriter out = new StringWriter(4096);
                template.render(context, out);
                return out.toString();
            }
        }
        Renderer renderer = new Renderer();
        Files.writeString(folder.resolve("printed"), renderer.render(null), StandardCharsets.UTF_8);
        measure("render", () -> renderer.render(null));
        measure("render parsed", () -> renderer.render(parsed));
        measure("read", () -> JsonPath.parse(body));

        StringBuilder found = new StringBuilder();
        for (String text : Files.readAllLines(folder.resolve("paths"))) {
            JsonPath path = JsonPath.compile(text);
            Object document = parsed.json();
            found.append(JSONValue.toJSONString(path.read(document))).append('\n');
            measure(text, () -> path.read(document));
        }
        Files.writeString(folder.resolve("found"), found.toString(), StandardCharsets.UTF_8);
    }
}
