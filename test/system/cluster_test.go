//go:build system

package system

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"pithings/flow"
	"pithings/test/binary"
)

// work is a flow that asks a slow worker, and says so at the end. The worker's model
// repeats tokens, so that answers find their engine.
const work = `name: Work
things: {bell: {thing: bell, model: bell}, worker: {thing: worker, model: worker}, book: {thing: book, model: book}}
trigger: {thing: bell, event: Rung}
timeout: 30s
overlap: {policy: parallel, limit: 50}
steps:
  - {name: Ask, thing: worker, action: do, input: {id: "${event.id}"}, output: did}
  - {name: Write, thing: book, action: note, input: {id: "${event.id}", made: "${did.made}"}}
models:
  bell: {events: {Rung: {topic: "{thing}/rung", payload: {keys: {id: integer}}}}}
  worker: {actions: {do: {topic: "{thing}/do", params: {id: integer}, answer: "{thing}/done", result: {keys: {made: string}}, token: token}}}
  book: {actions: {note: {topic: "{thing}/note", params: {id: integer, made: string}}}}
`

// TestCluster: three engines on one broker share the events of a flow. Each event is
// handled by one of them, answers find the engine that asked, and when one is killed
// in the middle the others continue; what it was doing is ABORTED in its history when it
// comes back, and it is not done again.
func TestCluster(t *testing.T) {
	t.Parallel()
	port, broker := mosquittoProcess(t, "allow_anonymous true", "log_type notice", "log_type information", "log_type subscribe")
	l := link(t, port)
	commands, notes := hear(t, l, "worker/do"), hear(t, l, "book/note")
	file := writeFlow(t, work)
	base := t.TempDir()
	state := func(i int) string { return filepath.Join(base, fmt.Sprint("engine", i)) }
	run := func(i int) *process {
		return engine(t, port, state(i), file, "--shared", "house", "-i", fmt.Sprint("engine", i))
	}
	engines := []*process{run(0), run(1), run(2)}
	for i := range engines {
		broker.log(fmt.Sprintf("engine%d 1 $share/house/bell/rung", i))
	}

	ring := func(id int) { send(t, l, "bell/rung", fmt.Sprintf(`{"id": %d}`, id)) }
	type command struct {
		ID    int
		Token string
	}
	ask := func() (c command) {
		t.Helper()
		m := next(t, commands, "command")
		if err := json.Unmarshal(m.Payload, &c); err != nil || c.Token == "" {
			t.Fatalf("command %s, %v", m.Payload, err)
		}
		return c
	}
	answer := func(c command) {
		send(t, l, "worker/done", fmt.Sprintf(`{"made": "made-%d", "token": %q}`, c.ID, c.Token))
	}
	written := func(n int) map[int]int {
		t.Helper()
		seen := map[int]int{}
		for range n {
			var note struct {
				ID   int
				Made string
			}
			m := next(t, notes, "note")
			if err := json.Unmarshal(m.Payload, &note); err != nil {
				t.Fatalf("%s: %v", m.Payload, err)
			}
			if note.Made != fmt.Sprint("made-", note.ID) {
				t.Errorf("event %d got the answer %s", note.ID, note.Made)
			}
			seen[note.ID]++
		}
		return seen
	}

	// Many at a time, answered in the reverse order within each batch.
	const rounds = 60
	for id := range rounds {
		ring(1000 + id)
	}
	for left := rounds; left > 0; {
		// Of each engine one command is in flight. The last ones to ask are answered
		// first.
		batch := []command{ask()}
		for more := true; more && len(batch) < len(engines); {
			select {
			case m := <-commands:
				var c command
				if err := json.Unmarshal(m.Payload, &c); err != nil {
					t.Fatal(err)
				}
				batch = append(batch, c)
			case <-time.After(100 * time.Millisecond): // the others have nothing to do
				more = false
			}
		}
		for i := range batch {
			answer(batch[len(batch)-1-i])
		}
		left -= len(batch)
	}
	seen := written(rounds)
	for id := range rounds {
		if seen[1000+id] != 1 {
			t.Errorf("event %d was handled %d times", id, seen[1000+id])
		}
	}
	for i := range engines {
		n := succeeded(executions(t, state(i), "Work"))
		t.Logf("engine %d handled %d", i, n)
		if n == 0 {
			t.Errorf("engine %d has handled nothing", i)
		}
	}

	// One is killed while it waits for the worker.
	victim := -1
	var lost command
	for id := 2000; victim < 0; id++ {
		ring(id)
		lost = ask()
		eventually(t, "who runs it", func() bool {
			for i := range engines {
				for _, x := range executions(t, state(i), "Work") {
					if x.Status == flow.Running {
						victim = i
						return true
					}
				}
			}
			return false
		})
	}
	name := fmt.Sprint("engine", victim)
	engines[victim].cmd.Process.Signal(syscall.SIGKILL)
	<-engines[victim].ended
	broker.log("Client " + name + " closed its connection")
	answer(lost) // no step waits for it
	for id := range rounds {
		ring(3000 + id)
		answer(ask())
	}
	seen = written(rounds)
	for id := range rounds {
		if seen[3000+id] != 1 {
			t.Errorf("event %d was handled %d times after the kill", id, seen[3000+id])
		}
	}
	if seen[lost.ID] != 0 {
		t.Error("what the killed engine was doing was done by another")
	}

	engines[victim] = run(victim)
	var aborted []flow.Execution
	for _, x := range executions(t, state(victim), "Work") {
		if x.Status == flow.Aborted {
			aborted = append(aborted, x)
		}
	}
	if len(aborted) != 1 || aborted[0].Reason != "the engine ended while it ran" {
		t.Errorf("aborted in the history of the engine that was killed: %+v", aborted)
	}
	before := succeeded(executions(t, state(victim), "Work"))
	eventually(t, "the engine's share after it came back", func() bool {
		ring(4000)
		answer(ask())
		written(1)
		return succeeded(executions(t, state(victim), "Work")) > before
	})
}

// TestClusterOnOneCamera: engines that share events ask the same camera of ours at
// the same time. It takes one picture after the other, and each answer finds the
// engine that asked.
func TestClusterOnOneCamera(t *testing.T) {
	t.Parallel()
	port, broker := mosquittoProcess(t, "allow_anonymous true", "log_type notice", "log_type subscribe")
	endpoint := fmt.Sprintf("mqtt://127.0.0.1:%d", port)
	l := link(t, port)
	commands, finished, notes := hear(t, l, "TG_Camera/capture"), hear(t, l, "TG_Camera/capture/finished"), hear(t, l, "book/note")
	start(t, binary.Path, "camera", "-e", endpoint, "-n", "TG_Camera", "--mock", "--size", "320x240", "--listen", "127.0.0.1:0")
	broker.log("TG_Camera 1 TG_Camera/capture")
	file := writeFlow(t, `name: Pictures
things: {bell: {thing: bell, model: bell}, camera: {thing: TG_Camera, model: camera}, book: {thing: book, model: book}}
trigger: {thing: bell, event: Rung}
overlap: {policy: parallel, limit: 50}
steps:
  - {name: Take, thing: camera, action: capture, output: picture}
  - {name: Write, thing: book, action: note, input: {id: "${event.id}", made: "${picture.lastClickedImage}"}}
models:
  bell: {events: {Rung: {topic: "{thing}/rung", payload: {keys: {id: integer}}}}}
  book: {actions: {note: {topic: "{thing}/note", params: {id: integer, made: string}}}}
`)
	for i := range 3 {
		engine(t, port, t.TempDir(), file, "--shared", "house", "-i", fmt.Sprint("engine", i))
		broker.log(fmt.Sprintf("engine%d 1 $share/house/bell/rung", i))
	}
	const rings = 30
	for id := range rings {
		send(t, l, "bell/rung", fmt.Sprintf(`{"id": %d}`, id))
	}
	asked, answered := map[string]bool{}, map[string]string{}
	seen := map[int]string{}
	for range rings {
		var c, f struct{ Token, LastClickedImage string }
		if err := json.Unmarshal(next(t, commands, "command").Payload, &c); err != nil || c.Token == "" || asked[c.Token] {
			t.Fatalf("command %+v, %v", c, err)
		}
		asked[c.Token] = true
		if err := json.Unmarshal(next(t, finished, "answer").Payload, &f); err != nil || f.LastClickedImage == "" || answered[f.Token] != "" {
			t.Fatalf("answer %+v, %v", f, err)
		}
		answered[f.Token] = f.LastClickedImage
		var n struct {
			ID   int
			Made string
		}
		if err := json.Unmarshal(next(t, notes, "note").Payload, &n); err != nil || seen[n.ID] != "" {
			t.Fatalf("note %+v, %v", n, err)
		}
		seen[n.ID] = n.Made
	}
	pictures := map[string]bool{}
	for token, uri := range answered {
		if !asked[token] {
			t.Errorf("the answer %s has a token that was not sent", uri)
		}
		pictures[uri] = true
	}
	for id := range rings {
		if !pictures[seen[id]] {
			t.Errorf("event %d has the picture %q", id, seen[id])
		}
	}
	t.Logf("%d events, %d pictures", rings, len(pictures))
}
