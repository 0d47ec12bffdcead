package shadow

import (
	"fmt"
	"time"

	"pithings/awsiot/internal/jsonvalue"
)

// Receive takes a message of the cloud. An error says why it was of no use; messages for others
// are no error.
func (m *Machine) Receive(now time.Time, op Op, payload []byte) error {
	if !m.online {
		return nil
	}
	a, err := parse(op, payload)
	if err != nil {
		return err
	}
	f := m.flight
	mine := f != nil && a.ClientToken == f.token
	switch op {
	case GetAccepted:
		if mine && f.op == Get {
			m.answered()
			m.read(now, f, a)
		}
	case UpdateAccepted:
		mine = mine && f.op == Update
		if mine {
			m.answered()
			a.State = map[string]any{"reported": f.patch} // whatever the cloud made of long numbers
		}
		m.accepted(now, a)
	case UpdateDelta:
		m.delta(now, a)
	case GetRejected, UpdateRejected:
		if mine && (f.op == Get) == (op == GetRejected) {
			m.flight, m.cut = nil, 0
			m.rejection(now, f, a)
		}
	}
	return nil
}

// answered ends the request under way.
func (m *Machine) answered() { m.flight, m.fails, m.cut, m.problem = nil, 0, 0, "" }

// read takes the whole document.
func (m *Machine) read(now time.Time, f *flight, a answer) {
	m.getting, m.synced = false, now
	if overtaken := a.Version < max(m.version, m.early) && a.Version >= f.base; !overtaken {
		if f.seen > f.base && a.Version <= f.base {
			m.wasted++
		} else {
			m.wasted = 0
		}
		if a.Version < f.base || m.seen == f.seen { // below base: deleted and made anew
			m.seen = a.Version // the answer is newer than whatever was seen before the request
		}
		desired, _ := section(a.State, "desired")
		reported, _ := section(a.State, "reported")
		m.adopt(a.Version, desired, reported)
	}
	m.checkGap(now)
}

// adopt makes the copy what the document is.
func (m *Machine) adopt(version int64, desired, reported map[string]any) {
	first := m.desired == nil
	if desired == nil {
		desired = map[string]any{}
	}
	m.fresh = m.fresh || first || !equal(desired, m.desired)
	m.desired, m.reported = desired, reported
	m.version, m.known, m.missing, m.early = version, true, version == 0, 0
}

// accepted applies an update, of whichever client, to the copy.
func (m *Machine) accepted(now time.Time, a answer) {
	m.seen = max(m.seen, a.Version)
	if m.known && a.Version == m.version+1 {
		m.adopt(a.Version, apply(m.desired, a.State, "desired"), apply(m.reported, a.State, "reported"))
	}
	if m.known {
		m.checkGap(now)
	}
}

// delta brings a change of desired early. It lacks what was removed, which the accepted update
// of the same version has.
func (m *Machine) delta(now time.Time, a answer) {
	if !m.known || a.Version <= max(m.version, m.early) {
		m.seen = max(m.seen, a.Version)
		return
	}
	m.seen = max(m.seen, a.Version)
	if a.Version == m.version+1 {
		desired := merge(m.desired, a.State)
		m.fresh = m.fresh || !equal(desired, m.desired)
		m.desired, m.early = desired, a.Version
	}
	m.checkGap(now)
}

// checkGap reads the document soon if a version has been left out, unless the message that has
// it comes meanwhile.
func (m *Machine) checkGap(now time.Time) {
	switch {
	case m.version >= m.seen:
		m.getting = false
	case !m.getting:
		m.getting, m.getAt = true, now.Add(doubled(settleTime, m.wasted, longestGap))
	}
}

// resync reads the document at once.
func (m *Machine) resync(now time.Time) { m.getting, m.known, m.getAt = true, false, now }

// rejection handles a request that was not accepted.
func (m *Machine) rejection(now time.Time, f *flight, a answer) {
	m.fails++
	m.problem = fmt.Sprintf("the cloud rejects %s with code %d: %s", f.op, a.Code, short(a.Message))
	switch {
	case a.Code == 404 && f.op == Get:
		m.fails, m.problem = 0, ""
		m.getting, m.synced, m.seen = false, now, 0
		m.adopt(0, nil, nil)
	case a.Code == 404, a.Code == 409: // deleted, or changed by another client meanwhile
		m.problem = ""
		m.resync(now)
		m.pause = now.Add(m.spread(doubled(settleTime, m.fails-1, pausesTime)) - settleTime/2)
	case a.Code == 401, a.Code == 403:
		m.problem += ": allow the thing's topics of its shadow in its policy"
		m.pause = now.Add(m.spread(doubled(deniedTime, m.fails-1, time.Hour)))
	case f.op == Update && (a.Code == 400 || a.Code == 413 || a.Code == 415):
		m.refused = string(jsonvalue.Encode(f.patch)) // until something else is to be reported
		m.pause = now.Add(doubled(pauseTime, m.fails-1, pausesTime))
	default: // 429, 500
		m.pause = now.Add(m.spread(doubled(pauseTime, m.fails-1, pausesTime)))
	}
}
