package things

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pithings/flow"
	"pithings/hw/mock"
)

// Remotes and the things themselves are devices of flows.
var _ = []flow.Device{(*Remote)(nil), (*Motion)(nil), (*Camera)(nil), (*Screen)(nil)}

func TestRemoteMotion(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		r, err := NewRemoteMotion("TG_MS", nil, b.link, quiet)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		b.inject("TG_MS/motion", `{"isMotionDetected": true}`, true) // kept by the broker: no event
		var got []any
		stop, err := r.Watch("StateChanged", func(v map[string]any, _ time.Time) { got = append(got, v["isMotionDetected"]) })
		if err != nil {
			t.Fatal(err)
		}
		for _, payload := range []string{
			`{"isMotionDetected" : true }`, `{"isMotionDetected":false,"time":"x"}`, // as others write it
			`{"isMotionDetected": 1}`, `{"isMotionDetected": "true"}`, `{}`, `[]`, `true`, `x`, ``, `{"ismotiondetected": null}`,
		} {
			b.inject("TG_MS/motion", payload, false)
		}
		stop()
		b.inject("TG_MS/motion", `{"isMotionDetected": true}`, false)
		if len(got) != 2 || got[0] != true || got[1] != false {
			t.Errorf("events %v, want true and false", got)
		}
		if _, err := r.Watch("Other", nil); err == nil {
			t.Error("a motion sensor has another event")
		}
	})
}

// TestRemoteCamera: answers in every form, late ones, none.
func TestRemoteCamera(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		r, err := NewRemoteCamera("TG_Camera", nil, b.link, quiet)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		type result struct {
			values map[string]any
			err    error
		}
		call := func(timeout time.Duration) <-chan result {
			c := make(chan result, 1)
			go func() {
				ctx, cancel := context.WithTimeout(b.Context(), timeout)
				defer cancel()
				v, err := r.Call(ctx, "capture", nil)
				c <- result{v, err}
			}()
			synctest.Wait()
			return c
		}
		for payload, want := range map[string]string{
			`{"lastClickedImage": "http://a"}`:                                            "http://a",
			`{"lastClickedImage" : "http://a", "s3BucketName" : "b", "s3ItemName" : "k"}`: "http://a",
			`{"imageUri":"http://b"}`:                                                     "http://b",
			`{"imageUri":"http://b","lastClickedImage":"http://a"}`:                       "http://a",
		} {
			c := call(time.Minute)
			for _, no := range []string{`{}`, `x`, `{"lastClickedImage": ""}`, `{"lastClickedImage": 7}`} {
				b.inject("TG_Camera/capture/finished", no, false)
			}
			b.inject("TG_Camera/capture/finished", payload, false)
			if got := <-c; got.err != nil || got.values["lastClickedImage"] != want {
				t.Errorf("%s: %v, %v", payload, got.values, got.err)
			}
		}
		b.link.Forget()
		c := call(time.Second)
		second := call(time.Minute) // waits for its turn
		if n := len(b.link.Published("TG_Camera/capture")); n != 1 {
			t.Errorf("%d captures in flight", n)
		}
		if got := <-c; !errors.Is(got.err, context.DeadlineExceeded) {
			t.Errorf("no answer: %v", got.err)
		}
		synctest.Wait()
		b.inject("TG_Camera/capture/finished", `{"lastClickedImage": "http://c"}`, false)
		if got := <-second; got.err != nil {
			t.Error(got.err)
		}
		b.inject("TG_Camera/capture/finished", `{"lastClickedImage": "http://late"}`, false) // nobody waits
		c = call(time.Second)
		if got := <-c; got.err == nil {
			t.Errorf("a late answer became that of the next capture: %v", got.values)
		}
		for _, m := range b.link.Published("TG_Camera/capture") {
			if string(m.Payload) != "{}" {
				t.Errorf("command %s", m.Payload)
			}
		}
	})
}

func TestRemoteScreen(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		r, err := NewRemoteScreen("TG_Screen", map[string]string{"display": "x/{thing}"}, b.link, quiet)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := r.Call(b.Context(), "display", map[string]any{"imageUri": "http://a"}); err != nil {
			t.Error(err)
		}
		b.wantTranscript(`x/TG_Screen {"imageUri":"http://a"}`)
		for action, input := range map[string]map[string]any{"display": {"imageUri": 7}, "capture": nil, "": nil} {
			if _, err := r.Call(b.Context(), action, input); err == nil {
				t.Errorf("%q with %v is done", action, input)
			}
		}
	})
}

// TestLocalCarrier: the flow goes through without a single command at the
// broker, and the events are told there.
func TestLocalCarrier(t *testing.T) {
	onBench(t, mock.Options{}, func(b *bench) {
		c, closeCamera := b.camera()
		defer closeCamera()
		v, err := c.Call(b.Context(), "capture", nil)
		if err != nil {
			t.Fatal(err)
		}
		b.wantTranscript(`TG_Camera/capture/finished {"lastClickedImage": "` + v["lastClickedImage"].(string) + `"}`)
		m := b.motion(MotionOptions{})
		var events []map[string]any
		stop, err := m.Watch("StateChanged", func(v map[string]any, _ time.Time) { events = append(events, v) })
		if err != nil {
			t.Fatal(err)
		}
		m.publish(b.Context(), true)
		stop()
		m.publish(b.Context(), true)
		if len(events) != 1 || events[0]["isMotionDetected"] != true {
			t.Errorf("events %v", events)
		}
	})
}
