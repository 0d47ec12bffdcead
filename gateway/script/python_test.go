package script

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// runPython311 is runPython, for programs that print texts of exceptions: other versions of
// Python have other texts.
func runPython311(t *testing.T, programs []string) []string {
	t.Helper()
	version := runPython(t, []string{"import sys\nprint('%d.%d' % sys.version_info[:2])"})
	if v := strings.TrimSpace(version[0]); v != "3.11" && os.Getenv("CI") == "" {
		t.Skipf("NOT RUN: python3 is %s, these programs print what 3.11 does", v)
	}
	return runPython(t, programs)
}

// runPython runs programs in one python3, and returns what each of them prints.
func runPython(t *testing.T, programs []string) []string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3 is missing: test/need installs it")
		}
		t.Skip("NOT RUN: python3 is missing")
	}
	const harness = `
import contextlib, io, json, logging, sys, types
sys.setrecursionlimit(10000)

class Printer(logging.Handler):
    def emit(self, record):
        try:
            print(record.levelname.lower(), record.getMessage())
        except Exception as e: # as handlers do; the words are ours
            print("error Logging error: %s: %s; message %r, arguments %r" % (type(e).__name__, e, record.msg, record.args))

logging.getLogger().addHandler(Printer())
logging.getLogger().setLevel(logging.DEBUG)
sys.modules["common"] = types.ModuleType("common")
sys.modules["common.Logger"] = types.ModuleType("common.Logger")
sys.modules["common.Logger"].logger = logging.getLogger("common")

results = []
for program in json.load(sys.stdin):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
        except BaseException as e:
            print("uncaught", type(e).__name__)
    results.append(out.getvalue())
json.dump(results, sys.stdout)
`
	input, err := json.Marshal(programs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-W", "ignore", "-c", harness)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3: %v\n%s", err, stderr.Bytes())
	}
	var results []string
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatal(err)
	}
	return results
}

// runHere runs a program as a script, and returns what it prints.
func runHere(program string) string {
	var out strings.Builder
	p, err := Compile("program", program)
	if err != nil {
		return "refused: " + err.Error()
	}
	_, err = New(context.Background(), p, Options{
		Limits: Limits{Steps: 100_000_000, Memory: 256 << 20},
		Zone:   time.UTC,
		Log: func(level, text string) {
			if level != "print" {
				text = level + " " + text
			}
			out.WriteString(text + "\n")
		},
	})
	if e, ok := err.(*Error); ok && !e.Limit && e.Kind != "InternalError" {
		return out.String() + "uncaught " + e.Kind + "\n"
	} else if err != nil {
		return out.String() + err.Error()
	}
	return out.String()
}

// more adds programs that no run before had: go test ./gateway/script -run Random -more 1000.
var more = flag.Int("more", 0, "random programs beside the fixed ones")

// Random programs print what they print in Python: the same 500 in every run, so that a run
// says something about what was changed, and as many others as -more says.
func TestRandomProgramsAsInPython(t *testing.T) {
	fixed := 500
	if testing.Short() {
		fixed = 100
	}
	var seeds []uint64
	for i := range fixed {
		seeds = append(seeds, uint64(i))
	}
	for range *more {
		seeds = append(seeds, rand.Uint64())
	}
	programs := make([]string, len(seeds))
	for i, seed := range seeds {
		programs[i] = generate(seed)
	}
	lines, bad := 0, 0
	for i, want := range runPython(t, programs) {
		got := runHere(programs[i])
		lines += strings.Count(want, "\n")
		if got == want {
			continue
		}
		if bad++; bad > 5 {
			t.Fatal("and more")
		}
		t.Errorf("seed %d: %s", seeds[i], firstDifference(got, want, programs[i]))
	}
	if lines < 20*len(seeds) {
		t.Errorf("the programs print %d lines: too few to show anything", lines)
	}
}

func firstDifference(got, want, program string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range w {
		if i >= len(g) || g[i] != w[i] {
			have := "nothing"
			if i < len(g) {
				have = g[i]
			}
			return "line " + strings.Join([]string{have, w[i]}, "\nwant ") + "\n" + excerpt(program)
		}
	}
	return "more lines than in Python\n" + excerpt(program)
}

// excerpt shortens a program in a message; its seed makes it again.
func excerpt(program string) string {
	return strings.Join(strings.SplitAfterN(program, "\n", 61)[:min(60, strings.Count(program, "\n"))], "")
}
