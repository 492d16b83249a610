import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import software.amazon.event.ruler.JsonRuleCompiler;
import software.amazon.event.ruler.Machine;
import software.amazon.event.ruler.MachineComplexityEvaluator;

/**
 * Asks the official library. "judge": lines of stdin are `P` + a pattern, or `E` + an event for the pattern before; each is
 * answered by a line: `ok` or `no <why>` for a pattern, `1`, `0` or `!` (threw) for an event. The library has two finders that should
 * agree; the one that looks at every value answers, and `~` follows where the other (its default since 2.0) disagrees. `C` asks the
 * complexity of the pattern's wildcards, up to 100.
 *
 * "bench RULES EVENTS ROUNDS": both files one JSON text a line; prints the microseconds of CPU that the matching thread took an
 * event in every round, with the default finder, after as many rounds of warming up, and the number of matches of one round.
 */
public final class Oracle {
    private record Machines(Machine full, Machine standard) {}

    public static void main(String[] args) throws Exception {
        if (args[0].equals("judge")) judge();
        else bench(lines(args[1]), lines(args[2]), Integer.parseInt(args[3]));
    }

    private static void judge() throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 16);
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        Machines machines = null;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String text = line.substring(1);
            switch (line.charAt(0)) {
                case 'P' -> {
                    machines = null;
                    String why = JsonRuleCompiler.check(text);
                    if (why == null) {
                        try {
                            machines = machinesFor(text);
                        } catch (Exception | StackOverflowError error) {
                            why = String.valueOf(error);
                        }
                    }
                    out.println(why == null ? "ok" : "no " + why.replaceAll("\\s+", " "));
                }
                case 'C' -> out.println(machines == null ? -1 : machines.full.evaluateComplexity(new MachineComplexityEvaluator(100)));
                default -> out.println(machines == null ? "!" : answer(machines, text));
            }
        }
        out.flush();
    }

    private static Machines machinesFor(String pattern) throws IOException {
        Machine full = Machine.builder().withStructuredMatching(false).build();
        Machine standard = Machine.builder().build();
        full.addRule("rule", pattern);
        standard.addRule("rule", pattern);
        return new Machines(full, standard);
    }

    private static String answer(Machines machines, String event) {
        try {
            boolean full = !machines.full.rulesForJSONEvent(event).isEmpty();
            boolean standard = !machines.standard.rulesForJSONEvent(event).isEmpty();
            return (full ? "1" : "0") + (full == standard ? "" : "~");
        } catch (Exception | StackOverflowError error) {
            return "!";
        }
    }

    private static void bench(List<String> rules, List<String> events, int rounds) throws Exception {
        Machine machine = Machine.builder().build();
        for (int i = 0; i < rules.size(); i++) machine.addRule("rule-" + i, rules.get(i));
        ThreadMXBean clock = ManagementFactory.getThreadMXBean();
        double[] microseconds = new double[rounds * 2];
        long matches = 0;
        for (int round = 0; round < microseconds.length; round++) {
            matches = 0;
            long startNs = clock.getCurrentThreadCpuTime();
            for (String event : events) matches += machine.rulesForJSONEvent(event).size();
            microseconds[round] = (clock.getCurrentThreadCpuTime() - startNs) / 1e3 / events.size();
        }
        System.out.println(Arrays.toString(Arrays.copyOfRange(microseconds, rounds, microseconds.length)));
        System.out.println(matches);
    }

    private static List<String> lines(String file) throws IOException {
        return Files.readAllLines(Path.of(file), StandardCharsets.UTF_8);
    }
}
