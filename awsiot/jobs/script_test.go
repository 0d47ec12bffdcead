package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pithings/awsiot/internal/jsonvalue"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// The transcripts in testdata are conversations with the cloud, line by line:
//
//	online, offline    the connection comes and goes
//	> TOPIC PAYLOAD    what the device publishes; nothing else may come
//	< TOPIC PAYLOAD    what the cloud publishes
//	begins JOB         the handler of a job has begun: its fields that are not empty, of this world
//	progress DETAILS   it reports
//	save DATA          it saves
//	returns RESULT     it returns
//	stopped            its context is done because the job is over in the cloud
//	reboots            the handler of reboot calls its function
//	wait TIME
//	health HEALTH
//	kill, boot         the agent is killed, or the machine is; the next line begins a new run
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d transcripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { playScript(t, string(b)) })
		})
	}
}

// memory is a Store that can be cut off, as a killed process is.
type memory struct {
	mu    sync.Mutex
	saved Saved
	dead  bool
	fail  error
}

func (m *memory) Load() (Saved, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.saved, nil
}

func (m *memory) Save(s Saved) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil || m.dead {
		return m.fail
	}
	b := jsonvalue.Encode(s) // as a file has it
	m.saved = Saved{}
	return json.Unmarshal(b, &m.saved)
}

// cut returns what was saved up to now, as the next run finds it.
func (m *memory) cut() *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	return &memory{saved: m.saved}
}

// script is a transcript being played.
type script struct {
	t     *testing.T
	s     *Service
	link  *linktest.Client
	store *memory
	read  int
	run   int
	boots int

	begins  chan *Job
	result  chan Result
	stopped chan error
	reboots chan struct{}
	job     *Job
	stop    context.CancelFunc
	ended   chan error
}

// handle is the handler of the action watch: the script says what it does.
func (x *script) handle(ctx context.Context, j *Job) Result {
	select {
	case x.begins <- j:
	case <-ctx.Done():
		return Result{}
	}
	select {
	case r := <-x.result:
		return r
	case <-ctx.Done():
		select {
		case x.stopped <- context.Cause(ctx):
		default:
		}
		return Fail("interrupted")
	}
}

func (x *script) reboot(ctx context.Context, j *Job) error {
	select {
	case x.reboots <- struct{}{}:
	case <-ctx.Done():
	}
	return nil
}

func playScript(t *testing.T, text string) {
	x := &script{t: t, store: &memory{}, boots: 1}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if err := x.line(word, strings.TrimSpace(rest)); err != nil {
			t.Fatalf("line %d, %s: %v", n, line, err)
		}
	}
	if x.s != nil {
		if err := x.end(); err != nil {
			t.Fatal(err)
		}
	}
}

func (x *script) start() error {
	x.run++
	x.read, x.link = 0, linktest.New()
	x.begins, x.result, x.stopped, x.reboots = make(chan *Job), make(chan Result), make(chan error, 1), make(chan struct{})
	s, err := New(Options{
		Link: x.link, Thing: "pi", Store: x.store, session: fmt.Sprint("r", x.run), jitter: func() float64 { return 0 },
		Now:      Mark{Boot: fmt.Sprint("boot-", x.boots), Run: fmt.Sprint("run-", x.run)},
		Handlers: map[string]Handler{"watch": x.handle, "reboot": AcrossBoots(x.reboot)},
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(x.t.Context())
	x.s, x.stop, x.ended = s, stop, make(chan error, 1)
	go func() { x.ended <- s.Run(ctx) }()
	synctest.Wait()
	return nil
}

func (x *script) end() error {
	x.stop()
	err := <-x.ended
	x.link.Close()
	x.s = nil
	return err
}

// kill ends a run so that nothing of its end can be seen.
func (x *script) kill() error {
	kept := x.store.cut()
	err := x.end()
	x.store = kept
	return err
}

func (x *script) line(word, rest string) error {
	if x.s == nil {
		if err := x.start(); err != nil {
			return err
		}
	}
	synctest.Wait()
	sent := x.link.Transcript()
	if word == ">" {
		if x.read == len(sent) {
			return fmt.Errorf("nothing is sent; it is %+v", x.s.Status())
		}
		if x.read++; sent[x.read-1] != rest {
			return fmt.Errorf("sent is %s", sent[x.read-1])
		}
		return nil
	}
	if x.read < len(sent) {
		return fmt.Errorf("before this, %s is sent", sent[x.read])
	}
	var err error
	switch word {
	case "online", "offline":
		x.s.Online(word == "online")
	case "<":
		topic, payload, _ := strings.Cut(rest, " ")
		err = x.link.Inject(mqttlink.Message{Topic: topic, Payload: []byte(payload)})
	case "begins":
		err = x.begun(rest)
	case "progress":
		var details map[string]string
		err = json.Unmarshal([]byte(rest), &details)
		x.job.Progress(details)
	case "save":
		err = x.job.Save(json.RawMessage(rest))
	case "returns":
		var r Result
		err = json.Unmarshal([]byte(rest), &r)
		x.result <- r
	case "stopped":
		select {
		case cause := <-x.stopped:
			if !errors.Is(cause, ErrOver) {
				return fmt.Errorf("it is stopped by %v", cause)
			}
		default:
			return errors.New("it is not stopped")
		}
	case "reboots":
		select {
		case <-x.reboots:
		default:
			return errors.New("it does not reboot")
		}
	case "wait":
		var d time.Duration
		d, err = time.ParseDuration(rest)
		time.Sleep(d)
	case "health":
		if got := string(jsonvalue.Encode(x.s.Status())); got != rest {
			return fmt.Errorf("it is %s", got)
		}
	case "boot":
		x.boots++
		return x.kill()
	case "kill":
		return x.kill()
	default:
		return errors.New("no such line")
	}
	synctest.Wait()
	return err
}

func (x *script) begun(want string) error {
	select {
	case x.job = <-x.begins:
	default:
		return fmt.Errorf("no handler begins; it is %+v", x.s.Status())
	}
	j := x.job
	got := string(jsonvalue.Encode(struct {
		ID       string
		Attempts int
		Resumed  bool
		Details  map[string]string `json:",omitempty"`
		Data     json.RawMessage   `json:",omitempty"`
	}{j.ID, j.Attempts, j.Resumed, j.Details, j.Data}))
	if got != want {
		return fmt.Errorf("it is %s", got)
	}
	return nil
}
