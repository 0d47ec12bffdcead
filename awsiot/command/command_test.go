package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pithings/api"
	"pithings/device"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

type named struct{ error }

func (named) ErrorName() string { return "NoLight" }

// What is answered to each request, to the byte.
func TestTranscript(t *testing.T) {
	b := newBench(t)
	b.camera.do = func(context.Context) (device.Values, error) {
		return device.Values{"lastClickedImage": "https://host/a.jpg?x=1&y=<2>"}, nil
	}
	applied := make(chan struct{})
	b.o.Reconfigure = func(_ context.Context, config device.Values) (device.Values, func(), error) {
		if _, local := config["mqtt"]; local {
			return nil, nil, errors.New("mqtt.endpoint can be changed on the machine only")
		}
		return device.Values{"revision": 7}, func() { close(applied) }, nil
	}
	b.o.Diagnose = func(context.Context) (device.Values, error) { return device.Values{"ok": true}, nil }
	b.run()
	defer b.stop()
	for i, row := range []struct{ kind, params, answer string }{
		{"TG_Camera/capture", "", `"status":"OK","result":{"lastClickedImage":"https://host/a.jpg?x=1&y=<2>"}`},
		{"TG_Camera/Capture", "{}", `"status":"OK",…`},
		{"TG_Screen/display", `{"imageUrl":"https://host/b.jpg"}`, `"status":"OK",…`},
		{"bme680/set", "", `"status":"ERROR","code":"UnknownType","error":"thing bme680 has no actions"`},
		{"read", `{"thing":"bme680"}`, `"status":"OK","result":{"events":[{"thing":"bme680","event":"temperature","at":"2026-11-30T12:00:00.123Z","values":{"value":21.5}}]}`},
		{"read", "", `"status":"OK","result":{"events":[{"thing":"bme680",…`},
		{"read", `{"thing":"TG_Camera"}`, `"status":"ERROR","code":"InvalidParameters","error":"there is no thing \"TG_Camera\" that can be read; known: bme680"`},
		{"reconfigure", `{"config":{"log":{"level":"debug"}}}`, `"status":"OK","result":{"revision":7}`},
		{"reconfigure", `{"config":{"mqtt":{"endpoint":"x"}}}`, `"status":"ERROR","code":"Failed","error":"mqtt.endpoint can be changed on the machine only"`},
		{"reconfigure", "", `"status":"ERROR","code":"InvalidParameters","error":"it has no config, an object with the keys to change"`},
		{"diagnose", "", `"status":"OK","result":{"ok":true}`},
		{"restart", "", `"status":"ERROR","code":"NotAvailable","error":"this agent does not offer restart"`},
		{"away/set", "", `"status":"ERROR","code":"NotAvailable","error":"thing away is not here"`},
		{"TG_Camera/shoot", "", `"status":"ERROR","code":"UnknownType","error":"thing TG_Camera has no action \"shoot\"; known: TG_Camera/capture"`},
		{"TG_Camra/capture", "", `"status":"ERROR","code":"UnknownType","error":"there is no type \"TG_Camra/capture\"; did you mean \"TG_Camera/capture\"?"`},
		{"", "", `"status":"ERROR","code":"InvalidRequest","error":"type has 0 bytes; give 1 to 256"`},
		{"diagnose", `[1]`, `"status":"ERROR","code":"InvalidRequest","error":"params is no object of JSON"`},
		{"diagnose", `{"x":1e999}`, `"status":"ERROR","code":"InvalidRequest","error":"params: …`},
		{"diagnose", `{"x":1}`, `"status":"ERROR","code":"InvalidParameters","error":"there is no parameter \"x\"; it takes none"`},
		{"TG_Screen/display", `{"imageUrl":7}`, `"status":"ERROR","code":"InvalidParameters","error":"parameter imageUrl is 7; give a string"`},
		{"TG_Screen/display", `{"imageUrl":"a","IMAGEURL":"b"}`, `"status":"ERROR","code":"InvalidParameters","error":"parameter imageUrl is given twice"`},
		{"TG_Screen/display", `{"imageURI":"a","color":1}`, `"status":"ERROR","code":"InvalidParameters","error":"there is no parameter \"color\"; known: imageUrl, by, imageUri; it takes imageUrl (string)"`},
		{"TG_Screen/count", `{"n":1.5}`, `"status":"ERROR","code":"InvalidParameters","error":"parameter n is 1.5; give an integer"`},
		{"TG_Screen/count", `{"on":"yes"}`, `"status":"ERROR","code":"InvalidParameters","error":"parameter on is the text \"yes\"; give a boolean"`},
		{"TG_Screen/count", `{"x":null}`, `"status":"ERROR","code":"InvalidParameters","error":"parameter x is null; give a number"`},
		{"TG_Screen/count", `{"o":[]}`, `"status":"ERROR","code":"InvalidParameters","error":"parameter o is a list; give an object"`},
		{"TG_Screen/count", `{"n":-3,"x":0.5,"on":false,"o":{},"any":null}`, `"status":"OK",…`},
		{"TG_Screen/odd", `{"a":"x"}`, `"status":"ERROR","code":"NotAvailable","error":"its request has a ${a}, which only flows compute"`},
	} {
		session := fmt.Sprintf("s%d", i)
		want(t, row.kind+" "+row.params, b.ask(session, row.kind, row.params), strings.ReplaceAll(`{"session-id":"`+session+`",`+row.answer+"}", "…}", "…"))
	}
	<-applied
	display := b.camera.calls[2]
	if got := fmt.Sprint(display); got != "map[action:display input:map[by:command imageUri:https://host/b.jpg]]" {
		t.Errorf("the request of the model: %s", got)
	}
}

// A plain request of the playground's form is answered as the playground's device does.
func TestPlainForm(t *testing.T) {
	b := newBench(t)
	b.run()
	defer b.stop()
	b.send(`{"type":"TG_Camera/capture","session-id":"b7c1","response-topic":"cmd/ac/pi/resp"}`)
	m, err := b.link.WaitFor(t.Context(), "cmd/ac/pi/resp", 1)
	if err != nil || string(m.Payload) != `{"session-id":"b7c1","status":"OK"}` || m.Retain || m.QoS != 1 {
		t.Errorf("%+v %s, %v", m, m.Payload, err)
	}
	if err := b.link.Inject(mqttlink.Message{Topic: "cmd/ac/pi/req", QoS: 0, Payload: []byte(asked("q0", "TG_Camera/capture", ""))}); err != nil {
		t.Fatal(err)
	}
	if m, err := b.link.WaitFor(t.Context(), "cmd/app/q0", 1); err != nil || m.QoS != 0 {
		t.Errorf("a request with QoS 0 is answered with QoS %d, %v", m.QoS, err)
	}
}

// What cannot be answered is answered nowhere, and noted.
func TestUnanswerable(t *testing.T) {
	b := newBench(t)
	b.o.Settings.ReplyPrefixes = []string{"answers/"}
	b.run()
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	bad := []string{
		``, `null`, `[]`, `"x"`, `{`, `{} {}`, "{\"type\":\"\xff\"}",
		`{"type":"TG_Camera/capture","response-topic":"cmd/x"}`,
		`{"type":"TG_Camera/capture","session-id":7,"response-topic":"cmd/x"}`,
		`{"type":"TG_Camera/capture","session-id":"","response-topic":"cmd/x"}`,
		`{"type":"TG_Camera/capture","session-id":"a\nb","response-topic":"cmd/x"}`,
		`{"type":"TG_Camera/capture","session-id":"` + strings.Repeat("x", MaxSession+1) + `","response-topic":"cmd/x"}`,
		`{"type":"TG_Camera/capture","session-id":"a"}`,
		`{"type":"TG_Camera/capture","session-id":"a","response-topic":null}`,
		`{"type":"TG_Camera/capture","Session-Id":"a","response-topic":"cmd/x"}`,
		`{"type":"TG_Camera/capture","session-id":"a","response-topic":"cmd/x","params":{"a":` + deep + `}}`,
		`{"type":"TG_Camera/capture","session-id":"a","response-topic":"cmd/x","params":{"a":"` + strings.Repeat("x", MaxRequest) + `"}}`,
	}
	for _, topic := range []string{"", "cmd/", "cmd", "cmd/+", "cmd/a/#", "#", "$aws/things/pi/shadow/update", "$SYS/x", "cmdx/a", "other/a", "answers", "answers/",
		"cmd/ac/pi/req", "cmd/ac/other/req", "cmd/TG_Camera/capture", "cmd/" + strings.Repeat("x", maxReplyBytes), "cmd/1/2/3/4/5/6/7/8", "cmd/a\u0000b"} {
		bad = append(bad, fmt.Sprintf(`{"type":"TG_Camera/capture","session-id":"a","response-topic":%q}`, topic))
	}
	for _, payload := range bad {
		b.send(payload)
	}
	retained := mqttlink.Message{Topic: "cmd/ac/pi/req", Retain: true, Payload: []byte(asked("kept", "TG_Camera/capture", ""))}
	b.s.take(t.Context(), retained, func(func()) { t.Error("a retained command runs") })
	b.send(`{"type":"TG_Camera/capture","session-id":"good","response-topic":"answers/x"}`)
	if _, err := b.link.WaitFor(t.Context(), "answers/x", 1); err != nil {
		t.Fatal(err)
	}
	health := map[string]any{}
	b.s.Health(func(key string, value any) { health = value.(map[string]any) })
	if n := health["ignored"]; n != len(bad)+1 {
		t.Errorf("%v are counted as ignored, want %d", n, len(bad)+1)
	}
	if lines := b.link.Transcript(); len(lines) != 1 {
		t.Errorf("published: %q", lines)
	}
	var m api.Metrics
	b.s.Collect(&m)
	if !strings.Contains(m.String(), fmt.Sprintf("pithings_commands_total{outcome=\"ignored\"} %d\n", len(bad)+1)) {
		t.Errorf("metrics:\n%s", m.String())
	}
	b.stop()
	if n := strings.Count(b.log.String(), "command ignored"); n == 0 || n > 5 {
		t.Errorf("%d lines are logged:\n%s", n, b.log.String())
	}
}

// A repeat gets the saved answer to the byte, and the action runs once, also in the next
// process.
func TestRepeat(t *testing.T) {
	b := newBench(t)
	n := 0
	b.camera.do = func(context.Context) (device.Values, error) { n++; return device.Values{"n": float64(n)}, nil }
	b.run()
	first := b.ask("a", "TG_Camera/capture", "")
	want(t, "first", first, `{"session-id":"a","status":"OK","result":{"n":1}}`)
	b.camera.do = func(context.Context) (device.Values, error) {
		n++
		return nil, named{errors.New("it is dark\n\x1b[31m")}
	}
	dark := b.ask("dark", "TG_Camera/capture", "")
	want(t, "error", dark, `{"session-id":"dark","status":"ERROR","code":"NoLight","error":"it is dark  [31m"}`)
	for range 2 {
		b.send(`{"params":{},"response-topic":"cmd/other","session-id":"a","type":"TG_Camera/capture"}`) // the same but for the topic
		if m, err := b.link.WaitFor(t.Context(), "cmd/other", 1); err != nil || string(m.Payload) != first {
			t.Errorf("%s, %v", m.Payload, err)
		}
		b.send(asked("dark", "TG_Camera/capture", "null"))
		b.send(asked("a", "TG_Screen/count", ""))
		b.ask("end", "diagnose", "")
		if got := b.link.Published("cmd/app/dark"); string(got[len(got)-1].Payload) != dark {
			t.Errorf("%s", got[len(got)-1].Payload)
		}
		got := b.link.Published("cmd/app/a")
		want(t, "another request with the session id", string(got[len(got)-1].Payload), `{"session-id":"a","status":"ERROR","code":"SessionReused",…`)
		if b.camera.called() != 2 {
			t.Fatalf("the actions ran %d times", b.camera.called())
		}
		b.stop()
		b.run()
	}
	b.stop()
}

// Repeats while a command runs wait for that run.
func TestRepeatWhileItRuns(t *testing.T) {
	b := newBench(t)
	going, gate := make(chan struct{}), make(chan struct{})
	b.camera.do = func(context.Context) (device.Values, error) { close(going); <-gate; return nil, nil }
	b.run()
	defer b.stop()
	b.send(asked("a", "TG_Camera/capture", ""))
	<-going
	for range maxWaiting + 10 {
		b.send(asked("a", "TG_Camera/capture", ""))
	}
	b.ask("b", "read", "") // behind them all
	if got := b.link.Published("cmd/app/a"); len(got) != 0 {
		t.Errorf("an answer while it runs: %s", got[0].Payload)
	}
	close(gate)
	b.answer("a", maxWaiting)
	if n := b.camera.called(); n != 1 {
		t.Errorf("it ran %d times", n)
	}
}

// One thing runs one command at a time, and all together so many as the
// settings allow; others wait, up to a bound.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.o.Settings.Concurrent = 2
		gate := make(chan struct{})
		b.camera.do = func(ctx context.Context) (device.Values, error) {
			select {
			case <-gate:
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		b.run()
		for i := range 2 + maxPending + 3 {
			kind := "TG_Camera/capture"
			if i%2 == 1 {
				kind = "TG_Screen/count"
			}
			b.send(asked(fmt.Sprint(i), kind, ""))
			if i == 1 {
				time.Sleep(time.Second)
			}
		}
		synctest.Wait()
		if n := b.camera.called(); n != 2 {
			t.Errorf("%d run at a time, want 2: one of each thing", n)
		}
		for i := range 3 {
			want(t, "too many", b.answer(fmt.Sprint(2+maxPending+i), 1), `{"session-id":"…"code":"Busy","error":"66 commands run or wait; send it again later"}`)
		}
		time.Sleep(b.o.Settings.Timeout.Duration - 1500*time.Millisecond)
		gate <- struct{}{}
		synctest.Wait()
		if n := b.camera.called(); n != 3 {
			t.Errorf("%d have run when one has ended, want 3", n)
		}
		time.Sleep(time.Second) // the other one of the first takes too long
		synctest.Wait()
		if n := b.camera.called(); n != 4 {
			t.Errorf("%d have run when two have ended, want 4", n)
		}
		time.Sleep(b.o.Settings.Timeout.Duration)
		synctest.Wait()
		late, never, one := 0, 0, ""
		for i := range 2 + maxPending {
			a := b.answer(fmt.Sprint(i), 1)
			switch {
			case strings.Contains(a, `"code":"TimedOut","error":"its time is over`):
				late++
			case strings.Contains(a, `"code":"TimedOut","error":"it did not run: others ran for 30s"`):
				never++
				if i%2 == 0 {
					one = fmt.Sprint(i)
				}
			case !strings.Contains(a, `"status":"OK"`):
				t.Errorf("%d: %s", i, a)
			}
		}
		if late != 3 || never != maxPending-2 {
			t.Errorf("%d took too long and %d did not run, want 3 and %d", late, never, maxPending-2)
		}
		b.send(asked(one, "TG_Camera/capture", "")) // it did not run: it may be sent again
		synctest.Wait()
		if n := b.camera.called(); n != 5 {
			t.Errorf("%d have run, want 5", n)
		}
		b.stop()
		want(t, "end of the agent", b.answer(one, 2), `{"session-id":"`+one+`","status":"ERROR","code":"Interrupted","error":"the agent ended while this command ran; …`)
		if b.s.active != 0 || len(b.s.lanes) != 0 || len(b.s.slots) != 0 {
			t.Errorf("left: %d active, %d lanes, %d slots", b.s.active, len(b.s.lanes), len(b.s.slots))
		}
	})
}

// A restart begins when its answer is delivered, or cannot be.
func TestRestart(t *testing.T) {
	for _, delivered := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			began := time.Now()
			restarted := make(chan time.Duration, 1)
			b.o.Restart = func() { restarted <- time.Since(began) }
			b.run()
			if !delivered {
				b.link.FailPublish(mqttlink.ErrFull)
			}
			b.send(asked("a", "restart", ""))
			if after := <-restarted; delivered != (after < deliver) {
				t.Errorf("delivered %v: it restarts after %v", delivered, after)
			}
			b.link.FailPublish(nil)
			b.stop()
			b.run()
			want(t, "repeat", b.ask("a", "restart", ""), `{"session-id":"a","status":"OK"}`)
			select {
			case <-restarted:
				t.Error("a repeat restarts again")
			default:
			}
			b.stop()
		})
	}
}

// In quarantine no command runs. What has run before is still answered.
func TestQuarantine(t *testing.T) {
	b := newBench(t)
	var quarantined atomic.Bool
	b.o.Quarantined = quarantined.Load
	b.run()
	defer b.stop()
	before := b.ask("before", "TG_Camera/capture", "")
	quarantined.Store(true)
	for i, kind := range []string{"TG_Camera/capture", "read", "diagnose", "nothing"} {
		session := fmt.Sprint(i)
		want(t, kind, b.ask(session, kind, ""), `{"session-id":"`+session+`","status":"ERROR","code":"Quarantined",…`)
	}
	b.send(asked("before", "TG_Camera/capture", ""))
	want(t, "repeat", b.answer("before", 2), before)
	quarantined.Store(false)
	b.send(asked("0", "TG_Camera/capture", ""))
	want(t, "afterwards", b.answer("0", 2), `{"session-id":"0","status":"OK"}`)
}

// A command that waits for its turn when the quarantine begins is refused, to all who wait for
// it; the one that runs finishes.
func TestQuarantineBeginsWhileOneWaits(t *testing.T) {
	b := newBench(t)
	var quarantined atomic.Bool
	b.o.Quarantined = quarantined.Load
	going, gate := make(chan struct{}), make(chan struct{})
	b.camera.do = func(context.Context) (device.Values, error) {
		going <- struct{}{}
		<-gate
		return nil, nil
	}
	b.run()
	defer b.stop()
	b.send(asked("runs", "TG_Camera/capture", ""))
	<-going
	for range 2 {
		b.send(asked("waits", "TG_Camera/capture", ""))
	}
	b.ask("behind them", "read", "")
	quarantined.Store(true)
	close(gate)
	want(t, "the one that runs", b.answer("runs", 1), `{"session-id":"runs","status":"OK"}`)
	select {
	case <-going:
		t.Fatal("a command begins in quarantine")
	case <-answered(b, "waits", 2):
	}
	for _, m := range b.link.Published("cmd/app/waits") {
		want(t, "the one that waits", string(m.Payload), `{"session-id":"waits","status":"ERROR","code":"Quarantined",…`)
	}
	if n := b.camera.called(); n != 1 {
		t.Errorf("the action ran %d times", n)
	}
	quarantined.Store(false)
	b.send(asked("waits", "TG_Camera/capture", "")) // it has not run, so that it may
	<-going
	want(t, "afterwards", b.answer("waits", 3), `{"session-id":"waits","status":"OK"}`)
}

// answered closes its channel with the n-th answer of a session.
func answered(b *bench, session string, n int) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = b.link.WaitFor(b.t.Context(), "cmd/app/"+session, n) // an error ends the test elsewhere
	}()
	return done
}

// What an action returns, and whatever it does, is one bounded answer.
func TestResults(t *testing.T) {
	b := newBench(t)
	b.run()
	defer b.stop()
	for name, row := range map[string]struct {
		do   func(context.Context) (device.Values, error)
		want string
	}{
		"large": {func(context.Context) (device.Values, error) {
			return device.Values{"x": strings.Repeat("x", MaxAnswer)}, nil
		}, `"status":"ERROR","code":"TooLarge","error":"it ran, and its answer has 65590 bytes; at most 65536 are sent"}`},
		"nan": {func(context.Context) (device.Values, error) { return device.Values{"x": nan()}, nil }, `"status":"ERROR","code":"Failed","error":"it ran, and its result cannot be written as JSON"}`},
		"panic": {func(context.Context) (device.Values, error) { panic("secret") },
			`"status":"ERROR","code":"Failed","error":"internal error; the log of the agent has more"}`},
		"long error": {func(context.Context) (device.Values, error) { return nil, errors.New(strings.Repeat("e", 5000)) },
			`"status":"ERROR","code":"Failed","error":"` + strings.Repeat("e", 600) + "…\"}"},
	} {
		b.camera.do = row.do
		session := strings.ReplaceAll(name, " ", "_")
		if got, want := b.ask(session, "TG_Camera/capture", ""), `{"session-id":"`+session+`",`+row.want; got != want {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

// Switched off, it subscribes to nothing.
func TestOff(t *testing.T) {
	b := newBench(t)
	s := New(Options{Link: nil, Dir: "/nowhere", Log: b.o.Log})
	if err := s.Run(t.Context()); err != nil {
		t.Error(err)
	}
	s.Health(func(key string, value any) { t.Errorf("%s is shown", key) })
}

func TestSettings(t *testing.T) {
	s := Settings{ReplyPrefixes: []string{"answers/", "a/b/", "", "answers", "/", "a/+/", "$aws/", "#"}}
	var bad []string
	s.Check(func(path, format string, args ...any) { bad = append(bad, path) })
	if got := strings.Join(bad, " "); got != "reply_prefixes[2] reply_prefixes[3] reply_prefixes[4] reply_prefixes[5] reply_prefixes[6] reply_prefixes[7]" {
		t.Error(got)
	}
}

// slow is a link that is held, at a broker that takes its time to acknowledge.
type slow struct {
	*linktest.Client
	takes time.Duration
}

func (s slow) Publish(ctx context.Context, m mqttlink.Message) error {
	select {
	case <-time.After(s.takes):
		return s.Client.Publish(ctx, m)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Answers to all who wait for a command are sent side by side, and do not hold up the end of the
// agent for longer than the connection would.
func TestAnswersOnASlowLink(t *testing.T) {
	for name, row := range map[string]struct {
		ends       bool
		took, each time.Duration
	}{
		"slow":               {false, time.Minute, time.Minute},
		"silent, as it ends": {true, lastAnswer, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				link := linktest.New()
				defer link.Close()
				b.o.Link, b.o.Log = slow{link, row.each}, slog.New(slog.DiscardHandler)
				gate := make(chan struct{})
				b.camera.do = func(context.Context) (device.Values, error) { <-gate; return nil, nil }
				s := New(b.o)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- s.Run(ctx) }()
				synctest.Wait()
				for range maxWaiting {
					if err := link.Inject(mqttlink.Message{Topic: "cmd/ac/pi/req", Payload: []byte(asked("a", "TG_Camera/capture", "")), QoS: 1}); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				began := time.Now()
				close(gate)
				if !row.ends {
					if _, err := link.WaitFor(t.Context(), "cmd/app/a", maxWaiting); err != nil {
						t.Fatal(err)
					}
				} else {
					synctest.Wait()
					cancel()
					if err := <-ended; err != nil {
						t.Error(err)
					}
				}
				if took := time.Since(began); took != row.took {
					t.Errorf("%v, want %v", took, row.took)
				}
				cancel()
				if !row.ends {
					<-ended
				}
			})
		})
	}
}
