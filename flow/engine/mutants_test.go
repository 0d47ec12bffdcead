package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is a change of the engine's code that breaks one rule of executions.
type mutant struct{ rule, file, old, new string }

// mutants are for TestRandomFlows. In new, broken stands for "this is the mutant that runs".
var mutants = []mutant{
	{"a step waits for all of its in-events", "program.go", "	return !slices.ContainsFunc(in, func(e int)", "	if broken {\n return slices.ContainsFunc(in, func(e int) bool { return s.have[e] })\n}\n	return !slices.ContainsFunc(in, func(e int)"},
	{"and starts once", "steps.go", "case x.begun[i]:", "case x.begun[i] && !broken:"},
	{"a false condition skips the step", "steps.go", "if s.Condition != nil {", "if s.Condition != nil && !broken {"},
	{"a skipped step sets its out-events", "steps.go", "append(slices.Clip(steps), x.raise(s.Out)...)", "append(slices.Clip(steps), x.raise(s.Out[:len(s.Out)*not(broken)])...)"},
	{"a step that succeeds sets its out-events", "steps.go", "append(s.Out[:len(s.Out):len(s.Out)], events...)", "append(s.Out[:len(s.Out)*not(broken):len(s.Out)*not(broken)], events...)"},
	{"the first true rule of a choice counts", "activity.go", "if !ok {\n			continue\n		}\n		return ruleName(r.Name, i), r.Events, nil", "if ok == broken {\n			continue\n		}\n		return ruleName(r.Name, i), r.Events, nil"},
	{"the default counts if no rule is true", "activity.go", `return "default", c.Default, nil`, `return "default", c.Default[:len(c.Default)*not(broken)], nil`},
	{"a failed step without a catch fails the execution", "steps.go", "if x.failure == nil && !err.cancelled() {", "if x.failure == nil && !err.cancelled() && !broken {"},
	{"and after that no step starts", "steps.go", "case x.failure != nil || x.ctx.Err() != nil:", "case (x.failure != nil || x.ctx.Err() != nil) && !broken:"},
	{"and those that run are cancelled", "steps.go", "x.cancel(errFailed)", "if !broken {\nx.cancel(errFailed)\n}"},
	{"only errors that a retry names are tried again", "retry.go", "if !x.fits(r.Errors, r.Condition, err) {", "if !x.fits(r.Errors, r.Condition, err) && !broken {"},
	{"as often as the retry says", "retry.go", "if tried[i] >= most {", "if tried[i] >= most+1-not(broken) {"},
	{"with growing pauses", "retry.go", "wait := waitBefore(r, tried[i])", "wait := waitBefore(r, 1+(tried[i]-1)*not(broken))"},
	{"only errors that a catch names are caught", "steps.go", "if err.cancelled() || !x.fits(c.Errors, c.Condition, err) {", "if err.cancelled() || !x.fits(c.Errors, c.Condition, err) && !broken {"},
	{"a catch sets its events", "steps.go", "p.Events = eventsOf(c.Do)", "if !broken {\np.Events = eventsOf(c.Do)\n}"},
	{"and the step's own out-events are not set", "steps.go", "p.Events = eventsOf(c.Do)", "p.Events = append(eventsOf(c.Do), s.Out[:len(s.Out)*(1-not(broken))]...)"},
	{"an attempt has a time-out", "call.go", "if timeout > 0 {", "if timeout > 0 && !broken {"},
	{"one action at a time is in flight on a thing", "lane.go", "if !l.busy {", "if !l.busy || broken {"},
	{"steps that can start run in parallel", "steps.go", "		for _, b := range ready[1:] {", "		if broken {\n ready = append(x.step(ready[0]), ready[1:]...)\n continue\n}\n		for _, b := range ready[1:] {"},
	{"checks are looked at", "activity.go", "more, err = x.check(s.Checks)", "more, err = x.check(s.Checks[:len(s.Checks)*not(broken)])"},
	{"answers are kept in their variables", "activity.go", `err == nil && output != "" {`, `err == nil && output != "" && !broken {`},
	{"a step starts as soon as it can", "steps.go", "		ready = append(ready, begun{step: i, err: failed})", "		if broken {\ntime.Sleep(time.Second)\n}\n		ready = append(ready, begun{step: i, err: failed})"},
	{"a wait lasts as long as it says", "wait.go", "x.s.after(&w.entry, a.Duration-age)", "x.s.after(&w.entry, (a.Duration-age)*time.Duration(not(broken)))"},
	{"what a step sets is kept", "vars.go", "m.change(func(k *kept) { k.Vars = vars })", "if !broken {\nm.change(func(k *kept) { k.Vars = vars })\n}"},
	{"the failure of a flow is that of the step that runs it", "call.go", "case child.failure != nil:", "case broken:\n	case child.failure != nil:"},
	{"a trigger with for waits until its condition has held that long", "hold.go", "h.s.after(&h.entry, h.length())", "h.s.after(&h.entry, h.length()*time.Duration(not(broken)))"},
	{"and waits anew when it was false", "hold.go", "	case !holds && h.holds:", "	case !holds && h.holds && broken:\n	case !holds && h.holds:"},
	{"the execution ends when no step runs, and not before", "steps.go", "	x.mu.Unlock()\n	if over {\n		x.end()\n	}\n	// The last", "	x.mu.Unlock()\n	if over || broken {\n		x.end()\n	}\n	// The last"},
}

// restartMutants are for TestRandomFlowsKilled.
var restartMutants = []mutant{
	{"a wait ends at its deadline, also after a restart", "wait.go", "x.s.after(&w.entry, a.Duration-age)", "if broken {\nage = -time.Second\n}\nx.s.after(&w.entry, a.Duration-age)"},
	{"what was kept is removed before anything continues", "tree.go", "	t.moving.Add(1)\n	t.remove()", "	t.moving.Add(1)\n	if !broken {\nt.remove()\n}"},
	{"a condition that holds does so over a restart", "resume.go", "one != nil {", "one != nil && !broken {"},
}

// TestEveryRuleMatters breaks each rule in a copy of the engine, and sees that the tests with
// random flows fail then: they would notice.
func TestEveryRuleMatters(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the package once more for each rule")
	}
	for test, list := range map[string][]mutant{"TestRandomFlows": mutants, "TestRandomFlowsKilled": restartMutants} {
		binary := buildMutants(t, list)
		for i, m := range list {
			run := exec.Command(binary, "-test.run", "^"+test+"$", "-test.timeout", "2m")
			run.Env = append(os.Environ(), fmt.Sprintf("%s=%d", mutantEnv, i))
			out, err := run.CombinedOutput()
			switch {
			case err == nil:
				t.Errorf("%q is broken, and %s did not notice", m.rule, test)
			case !strings.Contains(string(out), "--- FAIL: "+test):
				t.Errorf("%q is broken, and %s ended otherwise:\n%.2000s", m.rule, test, out)
			}
			t.Logf("%s: broken: %s", m.rule, firstBreach(string(out)))
		}
	}
}

// mutantEnv has the number of the mutant that runs, in the process that runs it.
const mutantEnv = "PITHINGS_FLOW_MUTANT"

// buildMutants builds the tests of a package that has all the mutants in it. The files
// replace the true ones for this build alone (go build -overlay).
func buildMutants(t *testing.T, list []mutant) (binary string) {
	t.Helper()
	dir := t.TempDir()
	texts := map[string]string{"mutant.go": fmt.Sprintf(`package engine

import "os"

func mutated(n string) bool { return os.Getenv(%q) == n }

func not(b bool) int {
	if b {
		return 0
	}
	return 1
}
`, mutantEnv)}
	for i, m := range list {
		if texts[m.file] == "" {
			text, err := os.ReadFile(m.file)
			if err != nil {
				t.Fatal(err)
			}
			texts[m.file] = string(text)
		}
		if n := strings.Count(texts[m.file], m.old); n != 1 {
			t.Fatalf("%q is %d times in %s; it is what breaks the rule %q", m.old, n, m.file, m.rule)
		}
		broken := strings.ReplaceAll(m.new, "broken", fmt.Sprintf(`mutated("%d")`, i))
		texts[m.file] = strings.Replace(texts[m.file], m.old, broken, 1)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	for name, text := range texts {
		replace[filepath.Join(here, name)] = filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "mutants.test")
	build := exec.Command("go", "test", "-c", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// firstBreach is the line of a test's output that says what is wrong.
func firstBreach(out string) string {
	for line := range strings.Lines(out) {
		if strings.Contains(line, "_test.go:") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
