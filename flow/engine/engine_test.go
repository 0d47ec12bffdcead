package engine

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

	"pithings/device"
	"pithings/flow"
	"pithings/flow/expr"
)

// fake is a scripted device that notes its calls.
type fake struct {
	mu     sync.Mutex
	fns    map[int]func(map[string]any, time.Time)
	n      int
	calls  []string
	answer func(ctx context.Context, action string, input map[string]any) (map[string]any, error)
}

func (d *fake) Watch(event string, fn func(map[string]any, time.Time)) (func(), error) {
	if event != "StateChanged" {
		return nil, fmt.Errorf("no event %q", event)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fns == nil {
		d.fns = map[int]func(map[string]any, time.Time){}
	}
	d.n++
	n := d.n
	d.fns[n] = fn
	return func() {
		d.mu.Lock()
		delete(d.fns, n)
		d.mu.Unlock()
	}, nil
}

func (d *fake) Call(ctx context.Context, action string, input map[string]any) (map[string]any, error) {
	d.mu.Lock()
	d.calls = append(d.calls, fmt.Sprint(action, input))
	d.mu.Unlock()
	if d.answer == nil {
		return nil, nil
	}
	return d.answer(ctx, action, input)
}

func (d *fake) happens(values map[string]any, at time.Time) {
	d.mu.Lock()
	fns := make([]func(map[string]any, time.Time), 0, len(d.fns))
	for _, fn := range d.fns {
		fns = append(fns, fn)
	}
	d.mu.Unlock()
	for _, fn := range fns {
		fn(values, at)
	}
}

func (d *fake) called() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.calls, " ")
}

// log is a Recorder in memory.
type record struct {
	mu     sync.Mutex
	order  []string
	events map[string][]flow.ExecutionEvent
	ended  map[string]flow.Execution
	began  map[string]flow.Execution
}

// roots are the executions that no step runs, in the order of their starts.
func (r *record) roots() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range r.order {
		if r.began[id].Parent == "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// children are the histories of what steps of an execution ran, by flow.
func (r *record) children(parent string) map[string][][]flow.ExecutionEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string][][]flow.ExecutionEvent{}
	for _, id := range r.order {
		if x := r.began[id]; x.Parent == parent {
			all[x.Flow] = append(all[x.Flow], r.events[id])
		}
	}
	return all
}

func newRecord() *record {
	return &record{events: map[string][]flow.ExecutionEvent{}, ended: map[string]flow.Execution{}, began: map[string]flow.Execution{}}
}

func (r *record) Started(x flow.Execution) {
	r.mu.Lock()
	r.order = append(r.order, x.ID)
	r.began[x.ID] = x
	r.mu.Unlock()
}

func (r *record) Event(id string, e flow.ExecutionEvent) {
	r.mu.Lock()
	r.events[id] = append(r.events[id], e)
	r.mu.Unlock()
}

func (r *record) Ended(x flow.Execution) {
	r.mu.Lock()
	r.ended[x.ID] = x
	r.mu.Unlock()
}

// story prints an execution in a line.
func (r *record) story(i int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, e := range r.events[r.order[i]] {
		fmt.Fprintf(&b, "%s", strings.NewReplacer("EXECUTION", "X", "ACTIVITY", "A", "STEP", "S").Replace(string(e.Type)))
		if e.Payload.Step != "" {
			b.WriteString(":" + e.Payload.Step)
		}
		if e.Payload.Error != "" {
			b.WriteString("!" + e.Payload.Error)
		}
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}

// rig is SecurityFlow with its three things.
type rig struct {
	e                      *Engine
	sensor, camera, screen *fake
	record                 *record
}

func newRig(t *testing.T) *rig {
	r := &rig{sensor: &fake{}, camera: &fake{}, screen: &fake{}, record: newRecord()}
	taken := 0
	r.camera.answer = func(context.Context, string, map[string]any) (map[string]any, error) {
		taken++
		return map[string]any{"lastClickedImage": fmt.Sprintf("http://host/%d.jpg", taken)}, nil
	}
	r.e = New(Options{Device: r.device, Recorder: r.record, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { r.e.Close() })
	return r
}

func (r *rig) device(_ *flow.Deployment, b flow.Binding) (device.Actor, error) {
	d, ok := map[string]*fake{"motionSensor": r.sensor, "camera": r.camera, "screen": r.screen}[b.Thing]
	if !ok {
		return nil, fmt.Errorf("no thing %q", b.Thing)
	}
	return d, nil
}

func (r *rig) deploy(t *testing.T, change func(*flow.Deployment)) {
	t.Helper()
	d := flow.SecurityFlow()
	if change != nil {
		change(d)
	}
	if err := r.e.Deploy(d); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) motion(detected bool) {
	r.sensor.happens(map[string]any{"isMotionDetected": detected}, time.Time{})
}

func (r *rig) stats(t *testing.T) Stats {
	t.Helper()
	s, err := r.e.Stats("SecurityFlow")
	if err != nil {
		t.Fatal(err)
	}
	s[0].Flow = ""
	return s[0]
}

func must(t *testing.T, source string) *expr.Expr {
	t.Helper()
	e, err := expr.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func hang(ctx context.Context, _ string, _ map[string]any) (map[string]any, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestSecurityFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.deploy(t, nil)
		for _, detected := range []bool{true, false, true} { // the end of motion is no reason for a picture
			r.motion(detected)
			synctest.Wait()
		}
		if got, want := r.camera.called(), "capturemap[] capturemap[]"; got != want {
			t.Errorf("camera was asked %q, want %q", got, want)
		}
		if got, want := r.screen.called(), "displaymap[imageUri:http://host/1.jpg] displaymap[imageUri:http://host/2.jpg]"; got != want {
			t.Errorf("screen was asked %q, want %q", got, want)
		}
		if got, want := r.stats(t), (Stats{Started: 2, Succeeded: 2}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		want := "X_STARTED S_STARTED:Camera A_SCHEDULED:Camera A_STARTED:Camera A_SUCCEEDED:Camera S_SUCCEEDED:Camera " +
			"S_STARTED:Screen A_SCHEDULED:Screen A_STARTED:Screen A_SUCCEEDED:Screen S_SUCCEEDED:Screen X_SUCCEEDED"
		if got := r.record.story(0); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		id := r.record.order[0]
		if !strings.HasPrefix(id, "SecurityFlow_2000-01-01T00:00:00.000Z_MotionEventTrigger_") || len(id) != len("SecurityFlow_2000-01-01T00:00:00.000Z_MotionEventTrigger_")+36 {
			t.Errorf("id %s", id)
		}
	})
}

// TestTriggerForms: Things Graph's three forms differ exactly as documented.
func TestTriggerForms(t *testing.T) {
	for _, tc := range []struct {
		name, when string
		values     []any // events that hold only this under "v"; or whole objects
		want       int
	}{
		{"lastEvent fires every time", "", []any{true, false, "", 0.0, "x"}, 5},
		{"lastEvent.value fires when it is true", "value", []any{true, false, "", "x", 0.0, 1.5}, 3},
		{"of several keys, value counts", "value", []any{map[string]any{"value": false, "other": true}, map[string]any{"value": true, "other": false}}, 1},
		{"an object without value is there, so it is true", "value", []any{map[string]any{"a": false, "b": false}}, 1},
		{"a predicate", "event.v > 10", []any{11.0, 10.0, 12.0}, 2},
		{"a predicate over value", "value == false", []any{true, false}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.deploy(t, func(d *flow.Deployment) {
					d.Triggers[0].Event.When = nil
					if tc.when != "" {
						d.Triggers[0].Event.When = must(t, tc.when)
					}
				})
				for _, v := range tc.values {
					values, ok := v.(map[string]any)
					if !ok {
						values = map[string]any{"v": v}
					}
					r.sensor.happens(values, time.Time{})
					synctest.Wait()
				}
				if got := r.stats(t).Started; got != uint64(tc.want) {
					t.Errorf("started %d times, want %d", got, tc.want)
				}
			})
		})
	}
}

func TestOldEventsStartNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.deploy(t, nil)
		on := map[string]any{"isMotionDetected": true}
		r.sensor.happens(on, time.Now().Add(-61*time.Second))
		synctest.Wait()
		r.sensor.happens(on, time.Now().Add(-59*time.Second))
		synctest.Wait()
		if got, want := r.stats(t), (Stats{Started: 1, Succeeded: 1, TooOld: 1}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

func TestOverlap(t *testing.T) {
	for _, tc := range []struct {
		overlap flow.Overlap
		limit   int
		want    Stats
	}{
		{flow.Queue, 0, Stats{Started: 2, Succeeded: 2, Dropped: 999}},
		{flow.Queue, 5, Stats{Started: 6, Succeeded: 6, Dropped: 995}},
		{flow.Drop, 0, Stats{Started: 1, Succeeded: 1, Dropped: 1000}},
		{flow.Restart, 0, Stats{Succeeded: 1}},
		{flow.Parallel, 4, Stats{Started: 4, Succeeded: 4, Dropped: 997}},
	} {
		t.Run(fmt.Sprint(tc.overlap, tc.limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.camera.answer = func(ctx context.Context, _ string, _ map[string]any) (map[string]any, error) {
					select {
					case <-time.After(time.Second):
						return map[string]any{"lastClickedImage": "x"}, nil
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				}
				r.deploy(t, func(d *flow.Deployment) { d.Flows[0].Overlap, d.Flows[0].Limit = tc.overlap, tc.limit })
				r.motion(true)
				synctest.Wait()
				for range 1000 { // a storm
					r.motion(true)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				got := r.stats(t)
				if tc.overlap == flow.Restart { // how many of the storm begin before the next comes is chance
					if got.Started+got.Dropped != 1001 || got.Started != got.Aborted+1 || got.Aborted == 0 {
						t.Errorf("%+v", got)
					}
					got = Stats{Succeeded: got.Succeeded}
				}
				if got != tc.want {
					t.Errorf("%+v, want %+v", got, tc.want)
				}
			})
		})
	}
}

// TestFaults are the documented outcomes of things that do not do what they should.
func TestFaults(t *testing.T) {
	named := namedError{}
	for _, tc := range []struct {
		name   string
		camera func(context.Context, string, map[string]any) (map[string]any, error)
		screen func(context.Context, string, map[string]any) (map[string]any, error)
		want   string
		reason string
	}{
		{"camera never answers", hang, nil, "S_FAILED:Camera!Timeout X_FAILED!Timeout", "no answer to capture within 30s"},
		{"camera says no", func(context.Context, string, map[string]any) (map[string]any, error) {
			return nil, errors.New("no film")
		}, nil,
			"S_FAILED:Camera!TaskFailed X_FAILED!TaskFailed", "no film"},
		{"camera names its error", func(context.Context, string, map[string]any) (map[string]any, error) { return nil, named }, nil,
			"S_FAILED:Camera!NoLight X_FAILED!NoLight", "dark"},
		{"answer without the picture", func(context.Context, string, map[string]any) (map[string]any, error) {
			return map[string]any{}, nil
		}, nil,
			"S_FAILED:Screen!Runtime X_FAILED!Runtime", "cameraResult.lastClickedImage is not there"},
		{"camera answers after the time-out", func(ctx context.Context, _ string, _ map[string]any) (map[string]any, error) {
			time.Sleep(31 * time.Second)
			return map[string]any{"lastClickedImage": "late"}, nil
		}, nil, "S_FAILED:Camera!Timeout X_FAILED!Timeout", "no answer"},
		{"screen is offline", nil, hang, "S_FAILED:Screen!Timeout X_FAILED!Timeout", "is screen running"},
		{"carrier panics", func(context.Context, string, map[string]any) (map[string]any, error) { panic("fault") }, nil,
			"S_FAILED:Camera!TaskFailed X_FAILED!TaskFailed", "internal error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				good := r.camera.answer
				if tc.camera != nil {
					r.camera.answer = tc.camera
				}
				r.screen.answer = tc.screen
				r.deploy(t, nil)
				r.motion(true)
				time.Sleep(time.Minute)
				synctest.Wait()
				x := r.record.ended[r.record.order[0]]
				if story := r.record.story(0); !strings.HasSuffix(story, tc.want) || x.Status != flow.Failed || !strings.Contains(x.Reason, tc.reason) {
					t.Errorf("%s: %s\n%s", x.Status, x.Reason, story)
				}
				if strings.Contains(tc.name, "camera") && r.screen.called() != "" {
					t.Errorf("screen was asked %s after a failed step", r.screen.called())
				}
				r.camera.answer, r.screen.answer = good, nil // and the next motion works again
				r.motion(true)
				synctest.Wait()
				if got, want := r.stats(t), (Stats{Started: 2, Succeeded: 1, Failed: 1}); got != want {
					t.Errorf("%+v, want %+v", got, want)
				}
			})
		})
	}
}

type namedError struct{}

func (namedError) Error() string     { return "it is dark" }
func (namedError) ErrorName() string { return "NoLight" }

// TestOneCapture: however many flows use a camera, one capture is in flight, and
// those who wait are bounded.
func TestOneCapture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		inFlight, most := 0, 0
		r.camera.answer = func(context.Context, string, map[string]any) (map[string]any, error) {
			inFlight++
			most = max(most, inFlight)
			time.Sleep(100 * time.Millisecond)
			inFlight--
			return map[string]any{"lastClickedImage": "x"}, nil
		}
		const flows = MaxWaiting + 10
		for i := range flows {
			d := flow.SecurityFlow()
			d.Name = fmt.Sprint("Room", i)
			d.Timeout = 3 * time.Second
			if err := r.e.Deploy(d); err != nil {
				t.Fatal(err)
			}
		}
		r.motion(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		outcomes := map[string]int{}
		for _, x := range r.record.ended {
			reason, _, _ := strings.Cut(x.Reason, " within")
			outcomes[string(x.Status)+reason]++
		}
		// 30 get their turn within 3 s (the last one's answer comes as the time-out
		// does), 9 have no place to wait.
		if most != 1 || outcomes["SUCCEEDED"] < 29 || outcomes["FAILEDstep Camera: camera is busy, and 64 actions wait for it already"] != 9 {
			t.Errorf("%d captures at once; %v", most, outcomes)
		}
		if len(r.e.parts.lanes.byThing) != 0 {
			t.Errorf("%d lanes left", len(r.e.parts.lanes.byThing))
		}
	})
}

func TestCloseAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.camera.answer = hang
		r.deploy(t, nil)
		r.motion(true)
		r.motion(true)
		synctest.Wait()
		r.e.Close()
		if got := r.record.story(0); !strings.HasSuffix(got, "A_FAILED:Camera!Cancelled S_FAILED:Camera!Cancelled X_ABORTED") {
			t.Errorf("got %s", got)
		}
		r.motion(true)
		synctest.Wait()
		if len(r.record.order) != 1 {
			t.Errorf("%d executions", len(r.record.order))
		}
		if _, err := r.e.Start("SecurityFlow", "SecurityFlow", nil); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
		if err := r.e.Deploy(flow.SecurityFlow()); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

// A start that finds a deployment which ends at that moment has started nothing, and returns so.
func TestStartAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.deploy(t, nil)
		r.e.mu.Lock()
		d := r.e.deployments["SecurityFlow"]
		r.e.mu.Unlock()
		d.stop(errUndeployed)
		if id, err := r.e.Start("SecurityFlow", "SecurityFlow", nil); !errors.Is(err, ErrNotDeployed) || id != "" {
			t.Errorf("%q, %v", id, err)
		}
	})
}

func TestRedeployUndeployAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.camera.answer = hang
		r.deploy(t, nil)
		other := flow.SecurityFlow()
		other.Name = "Other"
		if err := r.e.Deploy(other); err != nil {
			t.Fatal(err)
		}
		r.motion(true)
		synctest.Wait()
		r.deploy(t, func(d *flow.Deployment) { d.Revision = 2 })
		synctest.Wait()
		reasons := func() (list []string) {
			for _, id := range r.record.order {
				if x, ok := r.record.ended[id]; ok {
					list = append(list, x.Deployment+": "+x.Reason)
				}
			}
			return list
		}
		if got := fmt.Sprint(reasons()); got != "[SecurityFlow: a new revision was deployed]" {
			t.Errorf("got %s", got)
		}
		bad := flow.SecurityFlow()
		bad.Things[1].Thing = "nobody"
		if err := r.e.Deploy(bad); err == nil || r.e.Deployments()[1].Revision != 2 {
			t.Errorf("a deployment that fails took the old one away: %v", err)
		}
		r.motion(true)
		synctest.Wait()
		if err := r.e.Abort(r.record.order[len(r.record.order)-1]); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if err := r.e.Undeploy("Other"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := r.sensor.fns; len(got) != 1 {
			t.Errorf("%d watches", len(got))
		}
		if err := r.e.Undeploy("SecurityFlow"); err != nil {
			t.Error(err)
		}
		if got := r.sensor.fns; len(got) != 0 {
			t.Errorf("%d watches", len(got))
		}
		if err := r.e.Undeploy("Other"); !errors.Is(err, ErrNotDeployed) {
			t.Errorf("got %v", err)
		}
		if err := r.e.Abort("nobody"); err == nil {
			t.Error("aborted nobody")
		}
	})
}

func TestStartAndFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.deploy(t, func(d *flow.Deployment) {
			d.Flows[0].Definition.Parameters = []flow.Parameter{{Name: "cam", Required: true}, {Name: "n", Default: flow.Value{Literal: int64(5)}}}
			d.Flows[0].Definition.Steps[0].Activity.(*flow.DeviceAction).Role = ""
			d.Flows[0].Definition.Steps[0].Activity.(*flow.DeviceAction).Device = must(t, "cam")
			d.Flows[0].Definition.Steps[0].Activity.(*flow.DeviceAction).Args = []flow.Arg{{Name: "n", Value: flow.Value{Expr: must(t, "n + 1")}}}
			d.Triggers[0].Start[0].Args = []flow.Arg{{Value: flow.Value{Expr: must(t, "bindings[name == 'camera'].deviceId")}}}
		})
		r.motion(true)
		synctest.Wait()
		if err := r.e.Fire("SecurityFlow", "MotionEventTrigger", flow.Values{"isMotionDetected": true}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if err := r.e.Fire("SecurityFlow", "MotionEventTrigger", nil); err == nil {
			t.Error("fired against its condition")
		}
		id, err := r.e.Start("SecurityFlow", "SecurityFlow", []flow.Arg{{Name: "cam", Value: flow.Value{Literal: "camera"}}})
		if err != nil || !strings.Contains(id, "_Manual_") {
			t.Errorf("got %s, %v", id, err)
		}
		r.record.mu.Lock()
		if _, ok := r.record.began[id]; !ok {
			t.Errorf("%s is returned before it is recorded", id)
		}
		r.record.mu.Unlock()
		synctest.Wait()
		if got := r.camera.called(); got != "capturemap[n:6] capturemap[n:6] capturemap[n:6]" {
			t.Errorf("got %s", got)
		}
		for _, args := range [][]flow.Arg{nil, {{Value: flow.Value{Literal: "a"}}, {}, {}}, {{Name: "wrong"}}, {{Name: "cam"}, {Name: "cam"}}} {
			if _, err := r.e.Start("SecurityFlow", "SecurityFlow", args); err == nil {
				t.Errorf("%v: no error", args)
			}
		}
		if _, err := r.e.Start("SecurityFlow", "SecurityFlow", []flow.Arg{{Value: flow.Value{Literal: "toaster"}}}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if x := r.record.ended[r.record.order[3]]; x.Status != flow.Failed || !strings.Contains(x.Reason, `"toaster" is no thing of this deployment`) {
			t.Errorf("%+v", x)
		}
	})
}

func TestClock(t *testing.T) {
	for every, want := range map[string]string{
		"every 10 seconds": "00:10 00:20 00:30", "every 2 minutes": "02:00 04:00 06:00", "every hour": "60:00 120:00 180:00",
	} {
		t.Run(every, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				began := time.Now()
				var ticks []string
				r.camera.answer = func(context.Context, string, map[string]any) (map[string]any, error) {
					d := time.Since(began)
					ticks = append(ticks, fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60))
					return map[string]any{"lastClickedImage": "x"}, nil
				}
				e, err := flow.ParseEvery(every)
				if err != nil {
					t.Fatal(err)
				}
				r.deploy(t, func(d *flow.Deployment) { d.Triggers[0].Event, d.Triggers[0].Every = nil, e })
				time.Sleep(3*e.Length() + time.Second)
				synctest.Wait()
				if got := strings.Join(ticks, " "); got != want {
					t.Errorf("ticks at %s, want %s", got, want)
				}
				r.e.Close()
				time.Sleep(3 * e.Length())
				if len(ticks) != 3 {
					t.Errorf("ticks after the end: %v", ticks)
				}
			})
		})
	}
}

// TestClockOfTheCalendar: days and months are counted from the deployment, also
// by an engine that starts later, and nothing that was missed is made up.
func TestClockOfTheCalendar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble's time begins 2000-01-01 00:00 UTC
		r := newRig(t)
		var ticks []string
		r.camera.answer = func(context.Context, string, map[string]any) (map[string]any, error) {
			ticks = append(ticks, time.Now().UTC().Format("01-02 15:04"))
			return map[string]any{"lastClickedImage": "x"}, nil
		}
		r.deploy(t, func(d *flow.Deployment) {
			d.Deployed = time.Date(1999, 10, 31, 12, 0, 0, 0, time.UTC)
			d.Triggers[0].Event, d.Triggers[0].Every = nil, flow.Every{Count: 1, Unit: flow.Months}
		})
		time.Sleep(100 * 24 * time.Hour)
		synctest.Wait()
		if got, want := strings.Join(ticks, ", "), "01-31 12:00, 02-29 12:00, 03-31 12:00"; got != want {
			t.Errorf("ticks at %s, want %s", got, want)
		}
	})
}

func TestAfter(t *testing.T) {
	anchor := time.Date(2024, 2, 29, 8, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		every flow.Every
		now   string
		want  string
	}{
		{flow.Every{Count: 1, Unit: flow.Years}, "2024-02-29T08:00:00Z", "2025-02-28T08:00:00Z"},
		{flow.Every{Count: 1, Unit: flow.Years}, "2027-03-01T00:00:00Z", "2028-02-29T08:00:00Z"},
		{flow.Every{Count: 5, Unit: flow.Months}, "2026-01-01T00:00:00Z", "2026-03-29T08:00:00Z"},
		{flow.Every{Count: 1, Unit: flow.Months}, "1999-01-01T00:00:00Z", "2024-03-29T08:00:00Z"},
		{flow.Every{Count: 3, Unit: flow.Days}, "2024-03-03T08:00:00Z", "2024-03-06T08:00:00Z"},
		{flow.Every{Count: 1, Unit: flow.Weeks}, "2023-01-01T00:00:00Z", "2024-03-07T08:00:00Z"},
		{flow.Every{Count: 100, Unit: flow.Years}, "2024-03-01T00:00:00Z", "2124-02-29T08:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, tc.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := nextTick(tc.every, anchor, now).Format(time.RFC3339); got != tc.want {
			t.Errorf("%s after %s: %s, want %s", tc.every, tc.now, got, tc.want)
		}
	}
}
