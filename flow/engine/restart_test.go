package engine

import (
	"bufio"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pithings/device"
	"pithings/flow"
	"pithings/flow/history"
)

// numbered makes the i-th random flow, named after its number.
func numbered(i int, unit time.Duration) *randomFlow {
	g := generate(rand.New(rand.NewPCG(seed, uint64(i))), unit)
	g.d.Name = fmt.Sprint("random", i)
	return g
}

// checkHistory opens a history as after a restart and checks every execution in it.
// With waits those stay as they are that the next process may continue.
func checkHistory(dir string, unit time.Duration, exact, waits bool) (executions, aborted int, breach string) {
	h, err := history.Open(dir, history.Options{Waits: waits, MaxExecutions: 1e6, MaxAge: 100 * 365 * 24 * time.Hour, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, 0, err.Error()
	}
	defer h.Close()
	list := h.List(history.Filter{})
	for _, x := range list {
		i, err := strconv.Atoi(strings.TrimPrefix(x.Deployment, "random"))
		if err != nil {
			return 0, 0, err.Error()
		}
		if x.Status == flow.Running && waits {
			continue
		}
		if x.Status == flow.Running {
			return 0, 0, x.ID + " is reported to run"
		}
		if x.Status == flow.Aborted && x.Parent == "" {
			aborted++
		}
		if x.Parent != "" {
			continue // it is checked by what its step says
		}
		_, events, err := h.Show(x.ID)
		if err != nil {
			return 0, 0, err.Error()
		}
		last := events[len(events)-1].Type
		if want := flow.EventType("EXECUTION_" + x.Status); last != want {
			return 0, 0, fmt.Sprintf("%s is %s, and its last event %s", x.ID, x.Status, last)
		}
		if len(events) == 1 {
			continue // all that was kept is that it was aborted
		}
		c := newChecker(numbered(i, unit), exact)
		if x.Status != flow.Aborted {
			if c.children, err = childrenOf(h, list, x.ID); err != nil {
				return 0, 0, err.Error()
			}
		}
		if b := c.check(events, true); b != "" {
			return 0, 0, x.ID + ": " + b
		}
	}
	return len(list), aborted, ""
}

// childrenOf are the histories of what steps of an execution ran, by flow. list has the
// newest first.
func childrenOf(h *history.History, list []flow.Execution, parent string) (map[string][][]flow.ExecutionEvent, error) {
	all := map[string][][]flow.ExecutionEvent{}
	for _, x := range slices.Backward(list) {
		if x.Parent != parent {
			continue
		}
		_, events, err := h.Show(x.ID)
		if err != nil {
			return nil, err
		}
		all[x.Flow] = append(all[x.Flow], events)
	}
	return all, nil
}

// TestRestart cuts the history of many flows wherever a kill may have, and looks
// at it as the next process does: what is there obeys the rules, and what ran is
// aborted and does not continue.
func TestRestart(t *testing.T) {
	const flows = 150
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h, err := history.Open(dir, history.Options{MaxBytes: 64 << 20, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		e := New(Options{Recorder: h, Log: slog.New(slog.DiscardHandler), Device: newScripts(time.Second, nil).device})
		defer e.Close()
		for i := range flows {
			g := numbered(i, time.Second)
			if err := e.Deploy(g.d); err != nil {
				t.Fatal(err)
			}
			startNumbered(t, e, i)
			if i%10 == 9 { // ten at once, so that their events mix
				time.Sleep(24 * time.Hour)
			}
		}
	})
	if _, aborted, breach := checkHistory(copyFile(t, dir, 1<<40), time.Second, true, false); breach != "" || aborted != 0 {
		t.Fatalf("whole: %d aborted: %s", aborted, breach)
	}
	st, err := os.Stat(filepath.Join(dir, "executions-00000001.log"))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	aborted := 0
	for range 40 {
		cut := 1000 + r.Int64N(st.Size()-1000)
		_, n, breach := checkHistory(copyFile(t, dir, cut), time.Second, true, false)
		if breach != "" {
			t.Errorf("cut at %d: %s", cut, breach)
		}
		aborted += n
	}
	if aborted < 20 {
		t.Errorf("only %d executions were cut off; this test tests nothing", aborted)
	}
}

func copyFile(t *testing.T, dir string, most int64) string {
	t.Helper()
	to := t.TempDir()
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, filepath.Base(files[0])), data[:min(most, int64(len(data)))], 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// scripts are the things that all numbered flows share, each with its own script.
type scripts struct {
	unit   time.Duration
	called func(run int) // may be nil
	mu     sync.Mutex
	byRun  map[int]*scripted
	things map[string]*scriptedThing
}

func newScripts(unit time.Duration, called func(int)) *scripts {
	return &scripts{unit: unit, called: called, byRun: map[int]*scripted{}, things: map[string]*scriptedThing{}}
}

func (s *scripts) device(_ *flow.Deployment, b flow.Binding) (device.Actor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.things[b.Thing]
	if t == nil {
		t = &scriptedThing{name: b.Thing, script: s.script}
		s.things[b.Thing] = t
	}
	return t, nil
}

func (s *scripts) script(run int) *scripted {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.called != nil {
		s.called(run)
	}
	x := s.byRun[run]
	if x == nil {
		x = &scripted{g: numbered(run, s.unit), attempts: map[string]int{}, inFlight: map[string]int{}}
		s.byRun[run] = x
	}
	return x
}

func startNumbered(t testing.TB, e *Engine, i int) {
	t.Helper()
	if _, err := e.Start(fmt.Sprint("random", i), "f", []flow.Arg{{Value: flow.Value{Literal: int64(i)}}}); err != nil {
		t.Fatal(err)
	}
}

// childEnv makes the test binary run flows until it is killed.
const childEnv = "PITHINGS_FLOW_CHILD"

// TestChild is no test: it is the process that TestKill kills.
func TestChild(t *testing.T) {
	args := strings.Fields(os.Getenv(childEnv))
	if len(args) != 2 {
		t.Skip("it is run by TestKill")
	}
	first, err := strconv.Atoi(args[0])
	if err != nil {
		t.Fatal(err)
	}
	h, err := history.Open(args[1], history.Options{Waits: true, MaxExecutions: 1e6, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	things := newScripts(unit, func(run int) { fmt.Printf("called for %d\n", run) })
	e := New(Options{Recorder: h, Keeper: files(args[1]), Shortest: 1, Device: things.device, Log: slog.New(slog.DiscardHandler)})
	for _, x := range h.List(history.Filter{Status: flow.Running}) {
		if _, err := os.Stat(files(args[1]).path(x.Deployment, waitPrefix+x.ID[len(x.ID)-36:])); err == nil {
			fmt.Printf("continues %s\n", x.Deployment)
		}
	}
	for k := range first { // what was deployed before is deployed again: only what waited continues
		if err := e.Deploy(numbered(k, unit).d); err != nil {
			t.Fatal(err)
		}
	}
	h.AbortUnless(e.Runs)
	for i := first; i < first+10_000; i++ {
		if err := e.Deploy(numbered(i, unit).d); err != nil {
			t.Fatal(err)
		}
		startNumbered(t, e, i)
		time.Sleep(unit / 4)
	}
}

// files is a Keeper in a folder.
type files string

func (f files) path(deployment, name string) string {
	return filepath.Join(string(f), deployment+" "+name)
}

func (f files) Load(deployment string) (map[string][]byte, error) {
	paths, err := filepath.Glob(f.path(deployment, "*"))
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		all[strings.TrimPrefix(filepath.Base(p), deployment+" ")] = text
	}
	return all, nil
}

func (f files) Save(deployment, name string, data []byte) error {
	if data == nil {
		err := os.Remove(f.path(deployment, name))
		if os.IsNotExist(err) {
			return nil
		}
		return err
	}
	temporary := f.path("temporary", deployment+name)
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, f.path(deployment, name))
}

const unit = 8 * time.Millisecond

// TestKill kills a process that runs flows, several times, in the same folder. What
// waited continues in the next process, and nothing else does.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(seed, 1))
	first, aborted, resumed := 0, 0, 0
	for i, last := 0, false; !last; i++ {
		began, n := kill(t, dir, first, 30+r.IntN(60))
		resumed += n
		last = i >= 4 && resumed > 0 || i == 29 // not at every kill an execution waits
		var executions int
		var breach string
		executions, aborted, breach = checkHistory(dir, unit, false, !last)
		if breach != "" {
			t.Fatal(breach)
		}
		if executions == 0 {
			t.Fatal("no executions")
		}
		first = began + 1
	}
	if aborted < 5 {
		t.Errorf("only %d executions ran when the process was killed", aborted)
	}
	if resumed == 0 {
		t.Error("no execution waited when the process was killed")
	}
}

// kill runs the process until it has reported some calls, kills it, and returns
// the number of the last flow that it reported, and how many executions of earlier
// processes it continued.
func kill(t *testing.T, dir string, first, after int) (last, resumed int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", childEnv, first, dir))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	goesOn := map[int]bool{}
	for lines.Scan() {
		var run int
		if n, _ := fmt.Sscanf(lines.Text(), "continues random%d", &run); n > 0 {
			goesOn[run] = true
			continue
		}
		if n, _ := fmt.Sscanf(lines.Text(), "called for %d", &run); n == 0 {
			continue
		}
		if run < first && !goesOn[run] {
			t.Errorf("flow %d was started before the kill, and goes on after it", run)
		}
		last = max(last, run)
		if after--; after == 0 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if after > 0 {
		t.Fatal("the process ended by itself")
	}
	return last, len(goesOn)
}
