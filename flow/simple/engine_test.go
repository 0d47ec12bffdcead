package simple

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// device is a scripted Device that notes its calls.
type device struct {
	mu    sync.Mutex
	fn    func(Values)
	calls []string
	call  func(ctx context.Context, action string, input Values) (Values, error)
}

func (d *device) Watch(event string, fn func(Values)) (func(), error) {
	if event != "StateChanged" {
		return nil, fmt.Errorf("no event %q", event)
	}
	d.fn = fn
	return func() { d.fn = nil }, nil
}

func (d *device) Call(ctx context.Context, action string, input Values) (Values, error) {
	d.mu.Lock()
	d.calls = append(d.calls, fmt.Sprint(action, input))
	d.mu.Unlock()
	return d.call(ctx, action, input)
}

type rig struct{ sensor, camera, screen *device }

func newRig() rig {
	taken := 0
	return rig{
		sensor: &device{},
		camera: &device{call: func(context.Context, string, Values) (Values, error) {
			taken++
			return Values{"lastClickedImage": fmt.Sprintf("http://host/%d.jpg", taken)}, nil
		}},
		screen: &device{call: func(context.Context, string, Values) (Values, error) { return nil, nil }},
	}
}

func (r rig) deployment() Deployment {
	return Deployment{Definition: SecurityFlow(), Devices: map[string]Device{
		"motionSensor": r.sensor, "camera": r.camera, "screen": r.screen}}
}

// start runs the engine and returns when it watches; stop ends it.
func (r rig) start(t *testing.T) (e *Engine, stop func()) {
	t.Helper()
	e, err := New(r.deployment(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Run(ctx) }()
	synctest.Wait()
	return e, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func motion(detected bool) Values { return Values{"isMotionDetected": detected} }

func TestSecurityFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		e, stop := r.start(t)
		r.sensor.fn(motion(true))
		synctest.Wait()
		r.sensor.fn(motion(false)) // the end of motion is no reason for a picture
		synctest.Wait()
		r.sensor.fn(motion(true))
		synctest.Wait()
		stop()
		if got, want := strings.Join(r.camera.calls, " "), "capturemap[] capturemap[]"; got != want {
			t.Errorf("camera was asked %q, want %q", got, want)
		}
		if got, want := strings.Join(r.screen.calls, " "), "displaymap[imageUri:http://host/1.jpg] displaymap[imageUri:http://host/2.jpg]"; got != want {
			t.Errorf("screen was asked %q, want %q", got, want)
		}
		if got, want := e.Stats(), (Stats{Started: 2, Succeeded: 2}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

func TestFailedStepEndsTheExecution(t *testing.T) {
	for name, tc := range map[string]struct {
		call func(context.Context, string, Values) (Values, error)
	}{
		"camera says no":             {func(context.Context, string, Values) (Values, error) { return nil, errors.New("no") }},
		"camera never answers":       {func(ctx context.Context, _ string, _ Values) (Values, error) { <-ctx.Done(); return nil, ctx.Err() }},
		"answer without the picture": {func(context.Context, string, Values) (Values, error) { return Values{}, nil }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig()
				answers := r.camera.call
				r.camera.call = tc.call
				e, stop := r.start(t)
				r.sensor.fn(motion(true))
				time.Sleep(DefaultTimeout + time.Second)
				synctest.Wait()
				if len(r.screen.calls) != 0 {
					t.Errorf("screen was asked %v after a failed step", r.screen.calls)
				}
				r.camera.call = answers // and the next motion works again
				r.sensor.fn(motion(true))
				synctest.Wait()
				stop()
				if got, want := e.Stats(), (Stats{Started: 2, Succeeded: 1, Failed: 1}); got != want {
					t.Errorf("%+v, want %+v", got, want)
				}
			})
		})
	}
}

func TestTriggerStormIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.camera.call = func(ctx context.Context, _ string, _ Values) (Values, error) {
			time.Sleep(time.Second)
			return Values{"lastClickedImage": "x"}, nil
		}
		e, stop := r.start(t)
		r.sensor.fn(motion(true))
		synctest.Wait()
		for range 1000 {
			r.sensor.fn(motion(true))
		}
		time.Sleep(10 * time.Second)
		stop()
		if got, want := e.Stats(), (Stats{Started: 2, Succeeded: 2, Dropped: 999}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

func TestStoppedEngineAbortsTheExecution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.camera.call = func(ctx context.Context, _ string, _ Values) (Values, error) { <-ctx.Done(); return nil, ctx.Err() }
		e, stop := r.start(t)
		r.sensor.fn(motion(true))
		synctest.Wait()
		stop()
		if got, want := e.Stats(), (Stats{Started: 1}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

func TestValidate(t *testing.T) {
	good := SecurityFlow()
	for name, tc := range map[string]struct {
		change func(*Definition)
		want   string
	}{
		"as it is":         {func(*Definition) {}, ""},
		"no name":          {func(d *Definition) { d.Name = "" }, "without a name"},
		"no trigger":       {func(d *Definition) { d.Trigger.Event = "" }, "trigger needs"},
		"no steps":         {func(d *Definition) { d.Steps = nil }, "no steps"},
		"step, no action":  {func(d *Definition) { d.Steps[1].Action = "" }, "step 2 needs"},
		"unknown variable": {func(d *Definition) { d.Steps[0].Output = "other" }, `no earlier step has the output "cameraResult"`},
		"half a reference": {func(d *Definition) { d.Steps[1].Input = map[string]string{"imageUri": "${x"} }, "write ${variable.field}"},
		"text around it":   {func(d *Definition) { d.Steps[1].Input = map[string]string{"imageUri": "a${x.y}"} }, "must be the whole value"},
	} {
		t.Run(name, func(t *testing.T) {
			d := good
			d.Steps = append([]Step(nil), good.Steps...)
			tc.change(&d)
			err := d.Validate()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestMissingRole(t *testing.T) {
	d := newRig().deployment()
	delete(d.Devices, "screen")
	if _, err := New(d, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), `no thing plays the role "screen"`) {
		t.Errorf("got %v", err)
	}
}
