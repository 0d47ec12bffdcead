package provision

import (
	"fmt"
	"path/filepath"
)

// Install makes the identity of a state folder. The error wraps ErrThere if it has one, or fleet
// provisioning has begun to get one.
func Install(state string, f Files) (*Device, error) {
	p, err := Begin(state)
	if err != nil {
		return nil, err
	}
	defer p.End()
	if p.begun() {
		return nil, fmt.Errorf("pithings provision aws has begun in %s, and %w: finish it, or remove that folder", filepath.Join(state, Pending), ErrThere)
	}
	if err := Write(filepath.Join(state, Folder), f); err != nil {
		return nil, err
	}
	return Identity(state)
}
