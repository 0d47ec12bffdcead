package store

import "time"

// candidate is a client that could be dropped: a connection, an absent session, or
// both together.
type candidate struct {
	conn  *Conn
	sess  *Session
	group string
	cost  int64
}

// evict makes room until the budget is kept, or only our own clients and retained
// messages are left.
func (s *Store) evict() {
	for s.used > s.o.Max {
		v, ok := s.costliest()
		if !ok {
			return
		}
		e := Eviction{Group: v.group, Cost: v.cost, Absent: v.conn == nil}
		if v.sess != nil {
			e.Client = v.sess.ID
			s.expel(v.sess)
		} else {
			s.close(v.conn)
		}
		s.stats.Evicted++
		s.evicted = append(s.evicted, e)
	}
}

// costliest returns the client that costs most among those of the user or address
// that costs most. Of equals, the one that has been absent longest is it.
func (s *Store) costliest() (worst candidate, ok bool) {
	groups := map[string]int64{}
	s.candidates(func(c candidate) { groups[c.group] += c.cost })
	var group string
	for g, n := range groups {
		if most := groups[group]; !ok || n > most || n == most && g < group {
			group, ok = g, true
		}
	}
	found := false
	s.candidates(func(c candidate) {
		if c.group == group && (!found || c.cost > worst.cost || c.cost == worst.cost && c.absence().Before(worst.absence())) {
			worst, found = c, true
		}
	})
	return worst, found
}

// absence is the time since when a client is absent: far ahead if it is not.
func (c candidate) absence() time.Time {
	if c.conn != nil {
		return time.Unix(1<<40, 0)
	}
	return c.sess.left
}

func (s *Store) candidates(each func(candidate)) {
	for c := range s.conns {
		if c.own {
			continue
		}
		v := candidate{conn: c, group: c.group, cost: c.cost}
		if c.session != nil && c.session.conn == c {
			v.sess, v.cost = c.session, v.cost+c.session.cost
		}
		each(v)
	}
	for _, sess := range s.sessions {
		if sess.conn == nil && !sess.own {
			each(candidate{sess: sess, group: sess.group, cost: sess.cost})
		}
	}
}
