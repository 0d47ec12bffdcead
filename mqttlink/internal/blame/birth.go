package blame

import "time"

// birth is what is known of the birth message.
type birth struct {
	strikes int       // sessions in a row that the broker ended upon it
	until   time.Time // it is left out until then
}

// Announces reports whether birth message, close message and will are used. After a few
// sessions in a row that the broker ended upon the birth message they are left out for
// ExcludeFor: a client that may not report its presence can still do its work.
func (s *State) Announces(now time.Time) bool { return !now.Before(s.birth.until) }

// BirthAcked notes that the broker has acknowledged the birth message.
func (s *State) BirthAcked() { s.birth.strikes = 0 }

// EndedUponBirth notes that the broker closed the connection before it acknowledged the
// birth message. It reports whether the message is left out from now on.
func (s *State) EndedUponBirth(now time.Time) (leftOut bool) {
	if s.birth.strikes++; s.o.After <= 0 || s.birth.strikes < s.o.After {
		return false
	}
	s.birth = birth{until: now.Add(ExcludeFor)}
	return true
}
