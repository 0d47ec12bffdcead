package jobs

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"pithings/awsiot/internal/jsonvalue"
)

// Times of a machine.
const (
	answerTime  = 10 * time.Second // for an answer; doubled after each that does not come
	longestTime = 2 * time.Minute  // for an answer, at most
	pauseTime   = time.Second      // after a rejection, doubled after each in a row
	pausesTime  = 5 * time.Minute  // after a rejection, at most
	spacing     = time.Second      // between progress reports, and between looks for jobs
	cutTime     = 10 * time.Second // before the first request, once connections have ended upon it
	longestCut  = time.Hour
	uponTime    = 5 * time.Second // within which a connection ends if it ends upon a request
)

// Config is what a Machine is made of.
type Config struct {
	Thing string
	// Session begins the client tokens. No other client of the thing, and no other run of this
	// one, has it: random, at most 40 bytes.
	Session string
	// StepTime is after how long without a report the cloud takes a job for dead, in whole
	// minutes: 10 min. It is renewed in half of it.
	StepTime time.Duration
	// Jitter returns numbers in [0, 1), by which pauses vary.
	Jitter func() float64
}

// Request is a message to publish.
type Request struct {
	Topic   string
	Payload []byte
	Expiry  time.Duration // for how long it is worth sending
}

// Event is what happens to a job: it starts, or it is over.
type Event struct {
	Execution
	Over bool
	// Reported says that it is over because its result has been reported. Else it was cancelled,
	// removed or timed out, or its result reached the cloud in an earlier session.
	Reported bool
}

// Machine is the conversation about a thing's jobs. It waits for nothing and reads no clock;
// its methods are not to be called at the same time.
type Machine struct {
	o      Config
	online bool

	job    *Execution // that is being worked at
	report *report    // what is to be reported of it and is not yet acknowledged
	events []Event

	ask     bool // start-next is to be sent
	check   bool // how job is in the cloud is to be read
	asked   time.Time
	updated time.Time // the last update
	renewed time.Time // the last time that the cloud began to wait anew

	flight  *flight
	fails   int // requests without success, in a row
	cut     int // connections in a row that ended upon the first request
	pause   time.Time
	tokens  uint64
	problem string
}

// report is a state of the job for the cloud.
type report struct {
	status  Status
	details map[string]string
	bare    bool // without the details, which the cloud does not take
}

// flight is a request under way.
type flight struct {
	kind   kind
	token  string
	job    key
	report *report   // of an update; nil: a renewal
	at     time.Time // when it was sent
	until  time.Time // then there will be no answer
}

// NewMachine returns a machine that is offline and without a job.
func NewMachine(o Config) *Machine {
	if o.StepTime < time.Minute {
		o.StepTime = 10 * time.Minute
	}
	if o.Jitter == nil {
		o.Jitter = func() float64 { return 0 }
	}
	return &Machine{o: o}
}

// Online notes that there is a new connection, to which all subscriptions have been given.
func (m *Machine) Online(now time.Time) {
	m.Offline(now)
	m.online, m.ask, m.check, m.fails, m.pause, m.asked, m.problem = true, true, false, 0, time.Time{}, time.Time{}, ""
	if m.cut > 1 { // an unauthorised publish ends connections; the others on it are to have peace
		m.pause = now.Add(m.spread(doubled(cutTime, m.cut-2, longestCut)))
	}
}

// Offline notes that the connection has ended. The job continues.
func (m *Machine) Offline(now time.Time) {
	if f := m.flight; m.online && f != nil && f.kind == startNext && now.Sub(f.at) < uponTime {
		m.cut++
	}
	m.online, m.flight = false, nil
}

// Restart forgets the job: a new run begins, which takes it up again.
func (m *Machine) Restart() {
	m.job, m.report, m.events, m.flight, m.ask, m.check = nil, nil, nil, nil, true, false
}

// Events returns what has happened since the last call. A job is over before the next starts.
func (m *Machine) Events() []Event {
	events := m.events
	m.events = nil
	return events
}

// Progress notes details of a job that is being worked at, beside those it has. The newest of
// each are sent.
func (m *Machine) Progress(job string, number int64, details map[string]string) {
	if m.job == nil || m.job.key() != (key{job, number}) || m.report != nil && m.report.status.Final() {
		return
	}
	m.job.Details = mixed(m.job.Details, details)
	m.report = &report{status: InProgress, details: m.job.Details}
}

// Finish notes the result of a job. It is sent until the cloud has it.
func (m *Machine) Finish(job string, number int64, status Status, details map[string]string) {
	if m.job == nil || m.job.key() != (key{job, number}) {
		return
	}
	m.job.Details = mixed(m.job.Details, details)
	m.report = &report{status: status, details: m.job.Details}
}

// Settled reports whether the cloud has all that is to be reported of a job, or whether it is
// over.
func (m *Machine) Settled(job string, number int64) bool {
	return m.job == nil || m.job.key() != (key{job, number}) || m.report == nil
}

func mixed(details, more map[string]string) map[string]string {
	all := maps.Clone(details)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, clean(more))
	return clean(all)
}

// Next returns the request to publish now, if there is one. Wake says when to call again.
func (m *Machine) Next(now time.Time) *Request {
	if !m.online || m.flight != nil && now.Before(m.flight.until) {
		return nil
	}
	if f := m.flight; f != nil {
		m.problem = fmt.Sprintf("no answer to %s within %s", f.kind, m.patience())
		m.flight = nil
		m.fails++
		m.check = m.check || f.kind == update // whether it was made is not known
	}
	k, at := m.due()
	if k == "" || now.Before(at) {
		return nil
	}
	return m.launch(now, k)
}

// Wake returns when Next may have a request if nothing happens before; zero: never.
func (m *Machine) Wake() time.Time {
	switch {
	case !m.online:
		return time.Time{}
	case m.flight != nil:
		return m.flight.until
	}
	k, at := m.due()
	if k == "" {
		return time.Time{}
	}
	return at
}

// due returns the next request and its time.
func (m *Machine) due() (k kind, at time.Time) {
	switch {
	case m.ask:
		return startNext, later(m.asked.Add(spacing), m.pause)
	case m.job == nil:
		return "", time.Time{}
	case m.check:
		return describe, later(m.asked.Add(spacing), m.pause)
	case m.report != nil && m.report.status.Final():
		return update, later(m.renewed, m.pause)
	case m.report != nil:
		return update, later(m.updated.Add(spacing), m.pause)
	}
	return update, later(m.renewed.Add(m.o.StepTime/2), m.pause)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// launch makes a request.
func (m *Machine) launch(now time.Time, k kind) *Request {
	m.tokens++
	f := &flight{kind: k, token: m.o.Session + "-" + strconv.FormatUint(m.tokens, 10), at: now, until: now.Add(m.patience())}
	in := map[string]any{"clientToken": f.token}
	topic := prefix(m.o.Thing)
	if m.job != nil {
		f.job = m.job.key()
	}
	minutes := int64(m.o.StepTime / time.Minute)
	switch k {
	case startNext:
		m.asked = now
		topic += string(startNext)
		in["stepTimeoutInMinutes"] = minutes
	case describe:
		m.asked = now
		topic += m.job.JobID + "/get"
		in["executionNumber"], in["includeJobDocument"] = m.job.Number, false
	case update:
		m.updated = now
		topic += m.job.JobID + "/update"
		f.report = m.report
		in["status"] = InProgress
		if r := m.report; r != nil {
			in["status"] = r.status
			if !r.bare && len(r.details) > 0 {
				in["statusDetails"] = r.details
			}
		}
		if in["status"] == InProgress {
			in["stepTimeoutInMinutes"] = minutes
		}
		in["expectedVersion"] = strconv.FormatInt(m.job.Version, 10)
		in["executionNumber"], in["includeJobExecutionState"] = m.job.Number, true
	}
	m.flight = f
	return &Request{Topic: topic, Payload: jsonvalue.Encode(in), Expiry: m.patience()}
}

// Failed notes that the last request could not be published.
func (m *Machine) Failed(now time.Time, err error) {
	if m.flight != nil {
		m.flight = nil
		m.wait(now, short(err.Error()))
	}
}

// wait makes a pause after something that was in vain.
func (m *Machine) wait(now time.Time, problem string) {
	m.fails++
	m.problem = problem
	m.pause = now.Add(m.spread(doubled(pauseTime, m.fails-1, pausesTime)))
}

func (m *Machine) patience() time.Duration { return doubled(answerTime, m.fails, longestTime) }

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
