//go:build !linux

package control

// UsualPlaces returns none: on these systems an agent is found by its state folder.
func UsualPlaces() Places { return Places{} }

// Share does nothing.
func (s *Server) Share(string) (service bool, err error) { return false, nil }
