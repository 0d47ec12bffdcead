package things

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pithings/device"
	"pithings/hw/mock"
)

// Remotes and the things themselves are devices of flows.
var _ = []device.Actor{(*Described)(nil), (*Motion)(nil), (*Environment)(nil), (*Camera)(nil), (*Screen)(nil)}

// remote is a thing at the bench's broker under a description.
func (b *bench) remote(thing string, m Model, group string) (*Remote, *Described) {
	b.Helper()
	r := NewRemote(thing, b.link, quiet)
	d, err := r.As(m, group, 1)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return r, d
}

func TestRemoteEvents(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		r, d := b.remote("TG_MS", new(MotionSettings).Describe(motionKind.Templates()).Wire, "")
		b.inject("TG_MS/motion", `{"isMotionDetected": true}`, true) // kept by the broker: no event
		var got []any
		stop, err := d.Watch("statechanged", func(v map[string]any, at time.Time) { got = append(got, v["isMotionDetected"], at.UTC()) })
		if err != nil {
			t.Fatal(err)
		}
		for _, payload := range []string{
			`{"isMotionDetected" : true }`, `{"isMotionDetected":false,"time":"2020-02-12T08:30:05.5+01:00"}`, // as others write it
			`{"isMotionDetected": 1}`, `{"isMotionDetected": "true"}`, `{}`, `[]`, `true`, `x`, ``, `null`, `{"ismotiondetected": null}`,
		} {
			b.inject("TG_MS/motion", payload, false)
		}
		stop()
		b.inject("TG_MS/motion", `{"isMotionDetected": true}`, false)
		if want := fmt.Sprint([]any{true, time.Time{}, false, time.Date(2020, 2, 12, 7, 30, 5, 5e8, time.UTC)}); fmt.Sprint(got) != want {
			t.Errorf("events %v, want %v", got, want)
		}
		if n := r.Stats().Unread; n != 9 {
			t.Errorf("%d messages count as unreadable, want 9", n)
		}
		if _, err := d.Watch("Other", nil); err == nil {
			t.Error("a motion sensor has another event")
		}
	})
}

func TestEventTime(t *testing.T) {
	at := time.Date(2020, 2, 12, 7, 30, 5, 0, time.UTC)
	for payload, want := range map[string]time.Time{
		`{}`:                               {},
		`{"time": "2020-02-12T07:30:05Z"}`: at,
		`{"time": "2020-02-12T07:30:05.000000Z"}`: at,
		`{"time": 1581492605}`:                    at,
		`{"time": 1581492605.0}`:                  at,
		`{"time": 1581492605000}`:                 at,
		`{"time": null}`:                          time.Unix(0, 0), // of a boot that never learnt the time
		`{"time": "yesterday"}`:                   time.Unix(0, 0),
		`{"time": 1e300}`:                         time.Unix(0, 0),
		`{"time": true}`:                          time.Unix(0, 0),
		`{"Time": "2020-02-12T07:30:05Z"}`:        {},
	} {
		var values map[string]any
		if err := json.Unmarshal([]byte(payload), &values); err != nil {
			t.Fatal(err)
		}
		if got := EventTime(values, ""); !got.Equal(want) {
			t.Errorf("%s happened at %v, want %v", payload, got, want)
		}
	}
	if got := EventTime(map[string]any{"utc_timestamp": 1581492605.0}, "utc_timestamp"); !got.Equal(at) {
		t.Errorf("under another key: %v", got)
	}
}

// result is how a capture went.
type result struct {
	values map[string]any
	err    error
}

func (b *bench) capture(d *Described, timeout time.Duration) <-chan result {
	c := make(chan result, 1)
	go func() {
		ctx, cancel := context.WithTimeout(b.Context(), timeout)
		defer cancel()
		v, err := d.Call(ctx, "capture", nil)
		c <- result{v, err}
	}()
	synctest.Wait()
	return c
}

const finishedTopic, captureTopic = "TG_Camera/capture/finished", "TG_Camera/capture"

// TestRemoteCamera: answers in every form.
func TestRemoteCamera(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		b.inject(finishedTopic, `{"lastClickedImage": "http://kept"}`, true) // answers nothing
		r, d := b.remote("TG_Camera", new(CameraSettings).Describe(cameraKind.Templates()).Wire, "")
		synctest.Wait()
		if got := r.Stats(); got != (RemoteStats{}) {
			t.Errorf("what the broker has kept counts: %+v", got)
		}
		for payload, want := range map[string]string{
			`{"lastClickedImage": "http://a"}`:                                            "http://a",
			`{"lastClickedImage" : "http://b", "s3BucketName" : "b", "s3ItemName" : "k"}`: "http://b",
			`{"imageUri":"http://c"}`:                                                     "http://c",
			`{"imageUri":"http://d","lastClickedImage":"http://e"}`:                       "http://e",
		} {
			c := b.capture(d, time.Minute)
			for _, no := range []string{`{}`, `x`, `{"lastClickedImage": ""}`, `{"lastClickedImage": 7}`, `{"lastClickedImage": "http://x", "token": "whose"}`} {
				b.inject(finishedTopic, no, false)
			}
			b.inject(finishedTopic, payload, false)
			if got := <-c; got.err != nil || got.values["lastClickedImage"] != want {
				t.Errorf("%s: %v, %v", payload, got.values, got.err)
			}
		}
		for _, m := range b.link.Published(captureTopic) {
			if string(m.Payload) != "{}" || m.Expiry != time.Minute {
				t.Errorf("command %s with a life of %v", m.Payload, m.Expiry)
			}
		}
	})
}

// TestAnswersOfNobody: late answers, second ones, and those to other people's
// commands are counted, and never attributed.
func TestAnswersOfNobody(t *testing.T) {
	finished := func(name string) string { return `{"lastClickedImage": "http://` + name + `"}` }
	onBench(t, mock.Options{}, func(b *bench) {
		r, d := b.remote("TG_Camera", new(CameraSettings).Describe(cameraKind.Templates()).Wire, "")
		b.inject(finishedTopic, finished("other"), false)
		want := RemoteStats{Other: 1}
		if got := r.Stats(); got != want {
			t.Errorf("another client's: %+v, want %+v", got, want)
		}
		c := b.capture(d, time.Second)
		second := b.capture(d, time.Minute) // waits for its turn
		if n := len(b.link.Published(captureTopic)); n != 1 {
			t.Errorf("%d captures in flight", n)
		}
		if got := <-c; !errors.Is(got.err, context.DeadlineExceeded) {
			t.Errorf("no answer: %v", got.err)
		}
		synctest.Wait()
		if n := len(b.link.Published(captureTopic)); n != 1 {
			t.Error("the next command does not wait for the late answer")
		}
		b.inject(finishedTopic, finished("late"), false)
		if n := len(b.link.Published(captureTopic)); n != 2 {
			t.Error("the next command was not sent when the late answer had come")
		}
		b.inject(finishedTopic, finished("2"), false)
		if got := <-second; got.err != nil || got.values["lastClickedImage"] != "http://2" {
			t.Errorf("the second: %v, %v", got.values, got.err)
		}
		want.Late = 1
		if got := r.Stats(); got != want {
			t.Errorf("late: %+v, want %+v", got, want)
		}

		b.inject(finishedTopic, finished("2"), false) // twice, and once more while the next waits
		third := b.capture(d, time.Minute)
		b.inject(finishedTopic, finished("2"), false)
		b.inject(finishedTopic, finished("3"), false)
		if got := <-third; got.values["lastClickedImage"] != "http://3" {
			t.Errorf("a repeated answer became the next one's: %v, %v", got.values, got.err)
		}
		want.Second = 2
		if got := r.Stats(); got != want {
			t.Errorf("twice: %+v, want %+v", got, want)
		}

		// Without a late answer, the next command goes out after a while.
		<-b.capture(d, time.Second)
		c = b.capture(d, time.Minute)
		time.Sleep(lateGrace)
		synctest.Wait()
		b.inject(finishedTopic, finished("5"), false)
		if got := <-c; got.values["lastClickedImage"] != "http://5" {
			t.Errorf("after a capture that was never answered: %v, %v", got.values, got.err)
		}
	})
}

// TestLocalAnswerIsNobodys: the answer to a call within the process passes the broker
// too. A flow that asks through the broker right afterwards must not take it for its
// own.
func TestLocalAnswerIsNobodys(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		r, d := b.remote("TG_Camera", new(CameraSettings).Describe(cameraKind.Templates()).Wire, "")
		r.Foreign(map[string]any{"lastClickedImage": "http://local"})
		c := b.capture(d, time.Minute)
		b.inject(finishedTopic, `{"lastClickedImage": "http://local", "room": "hall"}`, false)
		b.inject(finishedTopic, `{"lastClickedImage": "http://mine"}`, false)
		if got := <-c; got.values["lastClickedImage"] != "http://mine" {
			t.Errorf("%v, %v", got.values, got.err)
		}
	})
}

// TestTokens: in a group, commands carry tokens, and an answer finds its command.
func TestTokens(t *testing.T) {
	answer := func(uri, token string) string {
		if token == "" {
			return fmt.Sprintf(`{"lastClickedImage": "http://%s"}`, uri)
		}
		return fmt.Sprintf(`{"lastClickedImage": "http://%s", "token": "%s"}`, uri, token)
	}
	foreign := new(CameraSettings).Describe(cameraKind.Templates()).Wire // one that need not repeat tokens
	a := foreign.Actions["capture"]
	a.Echoes, a.Unique = false, false
	foreign.Actions["capture"] = a
	onBench(t, mock.Options{}, func(b *bench) {
		tokenOfLast := func() string {
			all := b.link.Published(captureTopic)
			var c struct{ Token string }
			if err := json.Unmarshal(all[len(all)-1].Payload, &c); err != nil || len(c.Token) < 16 {
				t.Fatalf("command %s: %v", all[len(all)-1].Payload, err)
			}
			return c.Token
		}
		r, d := b.remote("TG_Camera", new(CameraSettings).Describe(cameraKind.Templates()).Wire, "house")
		c := b.capture(d, time.Minute)
		mine := tokenOfLast()
		b.inject(finishedTopic, answer("plain", ""), false) // of a command without a token
		b.inject(finishedTopic, answer("other", "abc"), false)
		b.inject(finishedTopic, answer("mine", mine), false)
		if got := <-c; got.values["lastClickedImage"] != "http://mine" || got.values["token"] != nil {
			t.Errorf("%v, %v", got.values, got.err)
		}
		if got, want := r.Stats(), (RemoteStats{Other: 2}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		<-b.capture(d, time.Second)
		late := tokenOfLast()
		c = b.capture(d, time.Minute) // need not wait for it
		b.inject(finishedTopic, answer("late", late), false)
		b.inject(finishedTopic, answer("next", tokenOfLast()), false)
		if got := <-c; got.values["lastClickedImage"] != "http://next" || r.Stats().Late != 1 {
			t.Errorf("%v, %v; %+v", got.values, got.err, r.Stats())
		}

		b.link.Forget()
		_, d = b.remote("TG_Camera", foreign, "house")
		c = b.capture(d, time.Minute)
		b.inject(finishedTopic, answer("silent", ""), false)
		if got := <-c; got.values["lastClickedImage"] != "http://silent" {
			t.Errorf("of a camera without tokens: %v, %v", got.values, got.err)
		}
		c = b.capture(d, time.Minute) // now it shows that it repeats them
		b.inject(finishedTopic, answer("echo", tokenOfLast()), false)
		<-c
		c = b.capture(d, time.Minute)
		b.inject(finishedTopic, answer("plain", ""), false)
		b.inject(finishedTopic, answer("mine", tokenOfLast()), false)
		if got := <-c; got.values["lastClickedImage"] != "http://mine" {
			t.Errorf("of a camera that has repeated a token: %v, %v", got.values, got.err)
		}
		events := new(MotionSettings).Describe(motionKind.Templates()).Wire
		_, d = b.remote("TG_MS", events, "house")
		stop, err := d.Watch("StateChanged", func(map[string]any, time.Time) {})
		if err != nil || !b.link.Subscribed("$share/house/TG_MS/motion") {
			t.Errorf("events are not shared: %v", err)
		}
		stop()
	})
}

func TestRemoteScreen(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		_, d := b.remote("TG_Screen", new(ScreenSettings).Describe(Topics{"display": "x/{thing}", "end": "y"}).Wire, "")
		if _, err := d.Call(b.Context(), "display", map[string]any{"imageUri": "http://a?b&c"}); err != nil {
			t.Error(err)
		}
		b.wantTranscript(`x/TG_Screen {"imageUri":"http://a?b&c"}`)
		for action, input := range map[string]map[string]any{"display": {"imageUri": 7}, "capture": nil, "": nil} {
			if _, err := d.Call(b.Context(), action, input); err == nil {
				t.Errorf("%q with %v is done", action, input)
			}
		}
	})
}

// TestReaders: what boards of other makers send.
func TestReaders(t *testing.T) {
	object := ReadObject(map[string]string{"n": "integer", "o": "object", "a": "any"})
	for payload, ok := range map[string]bool{
		`{"n": 3, "o": {}, "a": null, "more": 1}`: true, `{"n": 3.5, "o": {}, "a": 1}`: false, `{"n": 3, "o": [], "a": 1}`: false,
		`{"n": 3, "o": {}}`: false, `[]`: false, `{`: false, strings.Repeat(" ", maxPayload+1): false,
	} {
		if v, err := object([]byte(payload)); (err == nil) != ok {
			t.Errorf("%.50s: %v, %v", payload, v, err)
		}
	}
	for _, tc := range []struct {
		kind, payload string
		want          any // nil: refused
	}{
		{"number", "21.5", 21.5}, {"number", " 21.5\n", 21.5}, {"number", `"21.5"`, nil}, {"number", "x", nil},
		{"string", "ON", "ON"}, {"string", `"ON"`, "ON"}, {"string", "5", "5"}, {"boolean", "true", true}, {"boolean", "ON", nil},
		{"any", "ON", "ON"}, {"any", "5", 5.0}, {"string", "\xff", "�"},
	} {
		v, err := ReadBare(tc.kind)([]byte(tc.payload))
		if got := v["value"]; got != tc.want || (err == nil) != (tc.want != nil) {
			t.Errorf("%s as %s: %v, %v; want %v", tc.payload, tc.kind, got, err, tc.want)
		}
	}
}

// TestLocalCarrier: the flow goes through without a single command at the
// broker, and the events are published there.
func TestLocalCarrier(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		c, closeCamera := b.camera()
		defer closeCamera()
		var emitted []device.Event
		defer b.events.Subscribe("", finishedRole, func(e device.Event) { emitted = append(emitted, e) })()
		v, err := c.Call(b.Context(), "capture", nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(emitted) != 1 || !emitted[0].At.Equal(time.Now()) {
			t.Errorf("events %+v", emitted)
		}
		b.wantTranscript(finishedTopic + ` {"lastClickedImage": "` + v["lastClickedImage"].(string) + `"}`)
		m := b.motion(MotionSettings{}, Extra{"room": "hall"})
		var events []map[string]any
		stop, err := m.Watch("StateChanged", func(v map[string]any, at time.Time) {
			if !at.Equal(time.Now()) {
				t.Errorf("at %v", at)
			}
			events = append(events, v)
		})
		if err != nil {
			t.Fatal(err)
		}
		m.publish(b.Context(), true)
		stop()
		m.publish(b.Context(), true)
		if len(events) != 1 || events[0]["isMotionDetected"] != true || events[0]["room"] != "hall" {
			t.Errorf("events %v", events)
		}
		e := b.environment(EnvironmentSettings{}, Options{})
		temperatures := make(chan any, 10)
		if _, err := e.Watch("Temperature", func(v map[string]any, _ time.Time) { temperatures <- v["value"] }); err != nil {
			t.Fatal(err)
		}
		defer b.run(e)()
		time.Sleep(time.Second)
		if len(temperatures) != 1 {
			t.Errorf("%d temperatures", len(temperatures))
		}
	})
}

// TestMotionTellsTheTime, if it is asked to; and says where, for the link.
func TestMotionTellsTheTime(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		m := b.motion(MotionSettings{TimeKey: "time"}, Extra{"room": "hall"})
		m.publish(b.Context(), true)
		b.wantTranscript(`TG_MS/motion {"isMotionDetected": true, "time": "2000-01-01T00:00:00.000000Z", "room": "hall"}`)
		one := b.link.Published("#")[0]
		if got := string(one.Payload[one.TimeField.Offset:][:one.TimeField.Length]); got != `"2000-01-01T00:00:00.000000Z"` {
			t.Errorf("the time is said to be %s", got)
		}
	})
}
