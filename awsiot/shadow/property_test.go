package shadow

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pithings/awsiot/internal/jsonvalue"
	"pithings/awsiot/internal/scheduletest"
)

// world is a device, the cloud, and a network between them that loses, repeats and reorders.
type world struct {
	m     *Machine
	c     *cloud
	now   time.Time
	up    []message // to the cloud
	down  []message // to the device
	on    bool
	want  map[string]any
	saw   []map[string]any // the desired states that the device was given
	token map[string]bool
	err   error
}

func newWorld() *world {
	return &world{m: NewMachine(Config{Session: "s"}), c: newCloud(), now: time.Unix(1e9, 0), want: map[string]any{}, token: map[string]bool{}}
}

// values are small, so that they meet: numbers, objects, arrays, null.
func value(n uint64) any {
	switch n % 8 {
	case 0:
		return nil
	case 1:
		return map[string]any{"x": float64(n / 8 % 3), "y": "t"}
	case 2:
		return map[string]any{"x": nil}
	case 3:
		return []any{float64(n / 8 % 2), "a"}
	case 4:
		return map[string]any{"z": map[string]any{"deep": n/8%2 == 0}}
	}
	return float64(n / 8 % 4)
}

var keys = []string{"a", "b", "c"}

// event does what a number says. Its lowest byte is which, the rest what with.
func (w *world) event(e uint64) {
	kind, n := e%24, e>>8
	pick := func(list []message) int { return int(n % uint64(max(1, len(list)))) }
	state := func(part string, more ...any) message {
		s := map[string]any{part: map[string]any{keys[n%3]: value(n >> 4), keys[n>>2%3]: value(n >> 20)}}
		return message{Update, text(map[string]any{"state": s, "clientToken": "another"})}
	}
	switch {
	case kind < 4 && len(w.up) > 0: // in order
		w.arrives(0)
	case kind < 9 && len(w.down) > 0:
		w.receives(0)
	case kind == 9 && len(w.up) > 0: // out of order
		w.arrives(pick(w.up))
	case kind == 10 && len(w.down) > 0:
		w.receives(pick(w.down))
	case kind == 11 && len(w.up) > 0: // lost
		w.up = remove(w.up, pick(w.up))
	case kind == 12 && len(w.down) > 0:
		w.down = remove(w.down, pick(w.down))
	case kind == 13 && len(w.up) > 0: // twice
		w.up = append(w.up, w.up[pick(w.up)])
	case kind == 14 && len(w.down) > 0:
		w.down = append(w.down, w.down[pick(w.down)])
	case kind == 15, kind == 16:
		w.broadcast(w.c.serve(state("desired")))
	case kind == 17: // another client writes what the device reports, as a rule does for a will
		w.broadcast(w.c.serve(state("reported")))
	case kind == 18 && n%8 == 0:
		w.broadcast(w.c.serve(message{"delete", "{}"}))
	case kind == 18 && n%8 == 1:
		w.c.refuse = []int{429, 500, 403}[n>>3%3]
	case kind == 19, kind == 18:
		values := map[string]any{keys[n%3]: value(n >> 4)}
		if err := w.m.Report(values); err != nil {
			w.err = err
		}
		w.want = w.m.want
	case kind == 20:
		w.pass(time.Duration(n%2000) * time.Millisecond)
	case kind == 21:
		w.pass(time.Duration(n%600) * time.Second)
	case kind == 22:
		w.connect(!w.on)
	case kind == 23:
		w.take(n%3 == 0)
	}
	w.pump()
}

func remove(list []message, at int) []message {
	return append(append([]message(nil), list[:at]...), list[at+1:]...)
}

func (w *world) broadcast(ms []message) {
	if w.on {
		w.down = append(w.down, ms...)
	}
}

func (w *world) arrives(at int) {
	m := w.up[at]
	w.up = remove(w.up, at)
	w.broadcast(w.c.serve(m))
}

func (w *world) receives(at int) {
	m := w.down[at]
	w.down = remove(w.down, at)
	if err := w.m.Receive(w.now, m.op, []byte(m.payload)); err != nil {
		w.err = fmt.Errorf("%s %s: %w", m.op, m.payload, err)
	}
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) connect(on bool) {
	if w.on = on; on {
		w.m.Online(w.now)
	} else {
		w.m.Offline(w.now)
		w.down = nil // a clean session; what is under way to the cloud may still arrive
	}
}

// take applies what is desired, and rejects one key if it is there.
func (w *world) take(reject bool) {
	desired, changed := w.m.Take()
	if !changed {
		return
	}
	w.saw = append(w.saw, plain(desired))
	o := Outcome{Reported: map[string]any{}}
	if _, ok := desired["a"]; ok && reject {
		o.Rejected = map[string]string{"a": "it is local"}
	}
	if v, ok := desired["b"]; ok {
		o.Reported["set"] = v
	}
	if err := w.m.Applied(o); err != nil {
		w.err = err
	}
}

// plain is a state with float64 for numbers, as the cloud of the test has it.
func plain(state map[string]any) map[string]any {
	p := map[string]any{}
	if err := json.Unmarshal([]byte(text(state)), &p); err != nil {
		panic(err)
	}
	return p
}

// pump takes the requests of the device.
func (w *world) pump() {
	for n := 0; ; n++ {
		r := w.m.Next(w.now)
		if r == nil {
			return
		}
		if n > 0 { // one is under way at a time
			w.err = errors.New("it does not wait for answers")
			return
		}
		a := answer{}
		if err := jsonvalue.Decode(r.Payload, &a); err != nil || len(a.ClientToken) > MaxToken || w.token[a.ClientToken] || len(r.Payload) > MaxDocument+200 || r.Expiry <= 0 {
			w.err = fmt.Errorf("request %s, %v", r.Payload, err)
		}
		w.token[a.ClientToken] = true
		w.up = append(w.up, message{r.Op, string(r.Payload)})
	}
}

// settle lets the network work without a fault until all is quiet.
func (w *world) settle(patience time.Duration) error {
	until := w.now.Add(patience)
	for range 2000 {
		for w.pump(); len(w.up)+len(w.down) > 0; w.pump() {
			if len(w.up) > 0 {
				w.arrives(0)
			} else {
				w.receives(0)
			}
		}
		w.take(false)
		wake := w.m.Wake()
		if wake.IsZero() || wake.After(until) {
			break
		}
		w.pass(max(0, wake.Sub(w.now)))
	}
	if w.err != nil {
		return w.err
	}
	return w.check()
}

// check compares device and cloud at rest.
func (w *world) check() error {
	if st := w.m.Status(); st.State != InStep || st.Problem != "" {
		return fmt.Errorf("the device is %+v", st)
	}
	if !w.c.exists {
		return errors.New("the shadow was not made")
	}
	if w.m.version != w.c.version {
		return fmt.Errorf("the device has version %d, the cloud %d", w.m.version, w.c.version)
	}
	if p := missing(plain(w.m.want), w.c.reported); p != "" {
		return fmt.Errorf("reported is %s, and it lacks %s", text(w.c.reported), p)
	}
	rejected := w.c.reported["rejected"]
	if (len(w.m.rejected) > 0) != (rejected != nil) || rejected != nil && text(rejected) != text(w.m.rejected) {
		return fmt.Errorf("rejected is %s, not %s", text(rejected), text(w.m.rejected))
	}
	if len(w.saw) == 0 || !reflect.DeepEqual(w.saw[len(w.saw)-1], w.c.desired) {
		return fmt.Errorf("the device was given %s, desired is %s", text(w.saw), text(w.c.desired))
	}
	b, desired := w.c.desired["b"]
	if _, isObject := b.(map[string]any); desired != (w.c.reported["set"] != nil) && !isObject {
		return fmt.Errorf("set is %s, b is %s", text(w.c.reported["set"]), text(b))
	}
	at := 0 // each state given is one that was desired, and never an older one than the last
	for _, s := range w.saw {
		for at < len(w.c.states) && !reflect.DeepEqual(s, w.c.states[at]) {
			at++
		}
		if at == len(w.c.states) {
			return fmt.Errorf("the device was given %s out of order; desired were %s", text(w.saw), text(w.c.states))
		}
	}
	return nil
}

// missing returns a part of want that reported has not, or "".
func missing(want, reported map[string]any) string {
	for k, v := range want {
		inner, isObject := v.(map[string]any)
		have, wasObject := reported[k].(map[string]any)
		switch {
		case k == "rejected":
		case isObject:
			if p := missing(inner, have); p != "" {
				return k + "." + p
			}
		case v == nil:
			if x, there := reported[k]; there && !(wasObject && len(have) == 0) {
				return k + " gone, it is " + text(x)
			}
		case !reflect.DeepEqual(v, reported[k]):
			return k + " " + text(v)
		}
	}
	return ""
}

func playReconnect(events []uint64) error {
	w := newWorld()
	for _, e := range events {
		if w.event(e); w.err != nil {
			return w.err
		}
	}
	w.connect(false)
	w.connect(true)
	w.up = nil
	return w.settle(30 * time.Minute)
}

func playPatience(events []uint64) error {
	w := newWorld()
	w.connect(true)
	for _, e := range events {
		if e%24 == 22 {
			continue
		}
		if w.event(e); w.err != nil {
			return w.err
		}
	}
	w.up, w.down = nil, nil // all is lost, and no connection ends
	return w.settle(3 * time.Hour)
}

// Whatever the network does, after a new connection device and cloud agree: what was reported
// last is in the shadow, what is desired was applied, and no older state came behind a newer one.
func TestAgreesAfterANewConnection(t *testing.T) {
	scheduletest.Run(t, schedules(), 120, playReconnect)
}

// Messages may get lost without an end of the connection. Then the refresh finds it.
func TestAgreesWithoutANewConnection(t *testing.T) {
	scheduletest.Run(t, schedules(), 120, playPatience)
}

func schedules() int {
	if testing.Short() {
		return 1000
	}
	return 2000
}
