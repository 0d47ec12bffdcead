package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Errors of Claim.
var (
	// ErrSimulated says that the folder is a simulation's.
	ErrSimulated = errors.New("holds simulated readings (it was made with --mock), which would be delivered as real ones: give the real things another with --state DIR, or remove it")
	// ErrReal says that the folder is that of real things.
	ErrReal = errors.New("holds the queues of real things, among which simulated readings would lie: give the simulation another with --state DIR, or none")
)

// simulatedName is the file that marks the folder of a simulation.
const simulatedName = "simulated"

// Claim makes the folder one of simulated or of real things for good, and returns an
// error if it is one of the others. A reading in a queue does not say whether it was
// measured, so the two must never share one. The folder must be owned.
func (s *Folder) Claim(simulated bool) error {
	marked, err := s.Simulated()
	switch {
	case err != nil:
		return err
	case marked == simulated:
		return nil
	case marked:
		return fmt.Errorf("state folder %s %w", s.Dir, ErrSimulated)
	}
	queues, err := s.Queues()
	if err != nil {
		return err
	}
	if len(queues) > 0 {
		return fmt.Errorf("state folder %s %w", s.Dir, ErrReal)
	}
	if err := s.replace(simulatedName, []byte("All in this folder is of simulated things (pithings --mock).\n")); err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	return nil
}

// Simulated reports whether the folder is a simulation's.
func (s *Folder) Simulated() (bool, error) {
	_, err := os.Lstat(filepath.Join(s.Dir, simulatedName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("state folder: %w", err)
	}
	return err == nil, nil
}
