package shadow

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/awsiot/internal/jsonvalue"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

// The transcripts in testdata are conversations with the cloud, line by line:
//
//	shadow NAME        a shadow of the thing pi, before the first other line; - is the classic one
//	online, offline    the connection comes and goes
//	> TOPIC PAYLOAD    what the device publishes; nothing else may come
//	< TOPIC PAYLOAD    what the cloud publishes
//	report NAME VALUES
//	apply DESIRED      what Settings are given, in which they remain until
//	outcome OUTCOME    they return this
//	wait TIME
//	status NAME STATUS
//	end                the agent ends
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
			synctest.Test(t, func(t *testing.T) { play(t, string(b)) })
		})
	}
}

// script is a transcript being played.
type script struct {
	t       *testing.T
	s       *Service
	link    *linktest.Client
	shadows []Shadow
	read    int // lines of the link's transcript that were compared

	apply   chan string
	outcome chan Outcome
	stop    context.CancelFunc
	ended   chan error
}

// Apply implements Settings.
func (x *script) Apply(ctx context.Context, desired map[string]any) Outcome {
	select {
	case x.apply <- string(jsonvalue.Encode(desired)):
	case <-ctx.Done():
		return Outcome{}
	}
	select {
	case o := <-x.outcome:
		return o
	case <-ctx.Done():
		return Outcome{}
	}
}

func play(t *testing.T, text string) {
	x := &script{t: t, link: linktest.New(), apply: make(chan string), outcome: make(chan Outcome)}
	defer x.link.Close()
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
	if x.stop != nil {
		if err := x.end(); err != nil {
			t.Fatal(err)
		}
	}
}

func (x *script) start() error {
	s, err := New(Options{Link: x.link, Thing: "pi", Shadows: x.shadows, session: "s", jitter: func() float64 { return 0 }})
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
	x.stop = nil
	return <-x.ended
}

func (x *script) line(word, rest string) error {
	if word == "shadow" {
		name := strings.TrimPrefix(rest, "-")
		x.shadows = append(x.shadows, Shadow{Name: name, Settings: x, Connected: name == ""})
		return nil
	}
	if x.s == nil {
		if err := x.start(); err != nil {
			return err
		}
	}
	synctest.Wait()
	sent := x.link.Transcript()
	if word == ">" {
		if x.read == len(sent) {
			return fmt.Errorf("nothing is sent; the shadows are %+v", x.s.Status())
		}
		if x.read++; sent[x.read-1] != rest {
			return fmt.Errorf("sent is %s", sent[x.read-1])
		}
		return nil
	}
	if x.read < len(sent) {
		return fmt.Errorf("before this, %s is sent", sent[x.read])
	}
	first, second, _ := strings.Cut(rest, " ")
	switch word {
	case "online", "offline":
		x.s.Online(word == "online")
	case "<":
		return x.link.Inject(mqttlink.Message{Topic: first, Payload: []byte(second)})
	case "report":
		values := map[string]any{}
		if err := json.Unmarshal([]byte(second), &values); err != nil {
			return err
		}
		return x.s.Report(strings.TrimPrefix(first, "-"), values)
	case "apply":
		select {
		case got := <-x.apply:
			if got != rest {
				return fmt.Errorf("applied is %s", got)
			}
		default:
			return fmt.Errorf("nothing is applied")
		}
	case "outcome":
		var o Outcome
		if err := json.Unmarshal([]byte(rest), &o); err != nil {
			return err
		}
		x.outcome <- o
	case "wait":
		d, err := time.ParseDuration(rest)
		if err != nil {
			return err
		}
		time.Sleep(d)
	case "status":
		if got := string(jsonvalue.Encode(x.s.Status()[strings.TrimPrefix(first, "-")])); got != second {
			return fmt.Errorf("it is %s", got)
		}
	case "end":
		return x.end()
	default:
		return fmt.Errorf("no such line")
	}
	synctest.Wait()
	return nil
}
