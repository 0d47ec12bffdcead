package shadow

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"pithings/awsiot/internal/jsonvalue"
)

// Times of a machine.
const (
	answerTime  = 10 * time.Second       // for an answer; doubled after each that does not come
	longestTime = 2 * time.Minute        // for an answer, at most
	settleTime  = 500 * time.Millisecond // for a message that others have overtaken
	longestGap  = time.Minute            // between two gets because of versions left out, at most
	pauseTime   = time.Second            // after a rejection, doubled after each in a row
	pausesTime  = 5 * time.Minute        // after a rejection, at most
	deniedTime  = time.Minute            // after one that a policy is to blame for
	cutTime     = 10 * time.Second       // before the first get, once connections have ended upon it
	longestCut  = time.Hour
	uponTime    = 5 * time.Second // within which a connection ends if it ends upon a request
)

// Config is what a Machine is made of. All times have a default.
type Config struct {
	// Session begins the client tokens. No other client of the shadow, and no other run of
	// this one, has it: random, at most 40 bytes.
	Session string
	// Every is the least time between two updates: 1 s. Values reported meanwhile are sent
	// together.
	Every time.Duration
	// Refresh is the time after which the document is compared even though nothing has
	// happened: 1 h. It is for messages that were lost with no connection lost.
	Refresh time.Duration
	// Jitter returns numbers in [0, 1), by which pauses vary.
	Jitter func() float64
}

// Request is a message to publish.
type Request struct {
	Op      Op // Get or Update
	Payload []byte
	Expiry  time.Duration // for how long it is worth sending
}

// Machine is a shadow as a device sees it. It waits for nothing and reads no clock; its methods
// are not to be called at the same time.
type Machine struct {
	o      Config
	online bool

	// The copy of the document, complete up to version.
	known    bool // it was read in this session
	missing  bool // there is none
	version  int64
	desired  map[string]any
	reported map[string]any
	early    int64 // version of the last delta merged into desired, or 0
	seen     int64 // the newest version that any message had

	want     map[string]any // to be reported
	settings map[string]any // the part of want that the last outcome named
	rejected map[string]any // to be reported as all of rejected
	fresh    bool           // desired has changed since it was taken

	getting bool // the document is to be read
	getAt   time.Time
	wasted  int // gets in a row, because of versions left out, that brought nothing newer

	flight *flight
	fails  int // requests without success, in a row
	cut    int // connections in a row that ended upon the first get
	pause  time.Time
	sent   time.Time // the last update
	synced time.Time // the last time that the document was read
	tokens uint64

	refused string // the patch that the cloud will not take
	problem string
}

// flight is a request under way.
type flight struct {
	op    Op
	token string
	patch map[string]any // of an update
	base  int64          // the newest version of which the copy had anything when it was sent
	seen  int64          // likewise
	at    time.Time      // when it was sent
	until time.Time      // then there will be no answer
}

// NewMachine returns a machine that is offline and has nothing to report.
func NewMachine(o Config) *Machine {
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Refresh <= 0 {
		o.Refresh = time.Hour
	}
	if o.Jitter == nil {
		o.Jitter = func() float64 { return 0 }
	}
	return &Machine{o: o, want: map[string]any{}}
}

// Online notes that there is a new connection, to which all subscriptions have been given.
func (m *Machine) Online(now time.Time) {
	m.Offline(now)
	m.online, m.fails, m.wasted, m.pause, m.seen, m.early = true, 0, 0, time.Time{}, 0, 0
	m.refused, m.problem = "", ""
	m.resync(now)
	if m.cut > 1 { // an unauthorised publish ends connections; the others on it are to have peace
		m.getAt = now.Add(m.spread(doubled(cutTime, m.cut-2, longestCut)))
	}
}

// Offline notes that the connection has ended.
func (m *Machine) Offline(now time.Time) {
	if m.online && m.flight != nil && !m.known && now.Sub(m.flight.at) < uponTime {
		m.cut++
	}
	m.online, m.known, m.flight = false, false, nil
}

// Report adds values to what is to be reported; null removes a key. An error says what is
// too big or too deep, and nothing is added.
func (m *Machine) Report(values map[string]any) error {
	values, err := normal(values)
	if err != nil {
		return err
	}
	want := lay(m.want, values)
	if err := checkReported(want); err != nil {
		return err
	}
	m.want = want
	return nil
}

// Take returns the whole desired state if it has changed since the last call, or was read for
// the first time. The caller may keep and change it.
func (m *Machine) Take() (desired map[string]any, changed bool) {
	if !m.fresh {
		return nil, false
	}
	m.fresh = false
	return clone(m.desired).(map[string]any), true
}

// Again has Take return the desired state once more, if it is known.
func (m *Machine) Again() { m.fresh = m.fresh || m.desired != nil }

// Applied notes what has come of a desired state. It replaces what the last outcome reported:
// keys that are not in it any more are removed.
func (m *Machine) Applied(o Outcome) error {
	values, err := normal(o.Reported)
	if err != nil {
		return err
	}
	laid := maps.Clone(values)
	for key := range m.settings {
		if _, ok := values[key]; !ok {
			laid[key] = nil
		}
	}
	want := lay(m.want, laid)
	if err := checkReported(want); err != nil {
		return err
	}
	m.want, m.settings, m.rejected = want, values, reasons(o.Rejected)
	return nil
}

// Failed notes that the last request could not be published.
func (m *Machine) Failed(now time.Time, err error) {
	if m.flight == nil {
		return
	}
	m.flight = nil
	m.fails++
	m.problem = short(err.Error())
	m.pause = now.Add(m.spread(doubled(pauseTime, m.fails-1, pausesTime)))
}

// Next returns the request to publish now, if there is one. Wake says when to call again.
func (m *Machine) Next(now time.Time) *Request {
	if !m.online || m.Busy(now) {
		return nil
	}
	if f := m.flight; f != nil {
		m.problem = fmt.Sprintf("no answer to %s within %s", f.op, m.patience(m.fails))
		m.flight = nil
		m.fails++
		m.resync(now) // whether it was done is not known
	}
	op, patch, at := m.due()
	switch {
	case now.Before(at):
		return nil
	case op == Get:
		m.getting = true
		token := m.token()
		return m.launch(now, &flight{op: Get, token: token}, map[string]any{"clientToken": token})
	}
	return m.update(now, patch)
}

// Busy reports whether a request is under way.
func (m *Machine) Busy(now time.Time) bool { return m.flight != nil && now.Before(m.flight.until) }

// Wake returns when Next may have a request if nothing happens before; zero: never.
func (m *Machine) Wake() time.Time {
	switch {
	case !m.online:
		return time.Time{}
	case m.flight != nil:
		return m.flight.until
	}
	_, _, at := m.due()
	return at
}

// due returns the next request and its time.
func (m *Machine) due() (op Op, patch map[string]any, at time.Time) {
	if m.getting {
		return Get, nil, later(m.getAt, m.pause)
	}
	patch = m.patch()
	if patch == nil && !m.missing || m.holds(patch) {
		return Get, nil, later(m.synced.Add(m.o.Refresh), m.pause)
	}
	return Update, patch, later(m.sent.Add(m.o.Every), m.pause)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// holds reports whether the cloud would refuse a patch.
func (m *Machine) holds(patch map[string]any) bool {
	text := string(jsonvalue.Encode(patch))
	if m.refused != text {
		if err := checkSize(merge(m.reported, patch), m.desired); err != nil {
			m.refused, m.problem = text, err.Error()
		}
	}
	return m.refused == text
}

// patch is what is to be reported and is not.
func (m *Machine) patch() map[string]any {
	want := m.want
	reported, _ := m.reported[rejectedKey].(map[string]any)
	if _, there := m.reported[rejectedKey]; (there || m.rejected != nil) && m.settings != nil {
		want = maps.Clone(want)
		if len(m.rejected) == 0 {
			want[rejectedKey] = nil
		} else {
			want[rejectedKey] = exact(m.rejected, reported)
		}
	}
	return diff(want, m.reported)
}

// update sends a patch. The version makes the cloud refuse it if another update came first, and
// if the network delivers it late or twice.
func (m *Machine) update(now time.Time, patch map[string]any) *Request {
	if patch == nil {
		patch = map[string]any{}
	}
	token := m.token()
	payload := map[string]any{"state": map[string]any{"reported": patch}, "clientToken": token}
	if !m.missing {
		payload["version"] = m.version
	}
	m.sent = now
	return m.launch(now, &flight{op: Update, token: token, patch: patch}, payload)
}

func (m *Machine) launch(now time.Time, f *flight, payload map[string]any) *Request {
	patience := m.patience(m.fails)
	f.base, f.seen, f.until = max(m.version, m.early), m.seen, now.Add(patience)
	f.at = now
	m.flight = f
	return &Request{Op: f.op, Payload: jsonvalue.Encode(payload), Expiry: patience}
}

func (m *Machine) token() string {
	m.tokens++
	return m.o.Session + "-" + strconv.FormatUint(m.tokens, 10)
}

func (m *Machine) patience(fails int) time.Duration { return doubled(answerTime, fails, longestTime) }

// doubled returns a time that doubles with each failure, up to a bound.
func doubled(t time.Duration, times int, most time.Duration) time.Duration {
	for ; times > 0 && t < most; times-- {
		t *= 2
	}
	return min(t, most)
}

// spread shortens a pause by up to half, so that many devices do not come back at once.
func (m *Machine) spread(t time.Duration) time.Duration {
	return t - time.Duration(m.o.Jitter()*float64(t)/2)
}
