package agent

import (
	"context"
	"sync"
	"time"

	"pithings/spool/pub"
	"pithings/spool/state"
)

// folder is the state folder of an agent, which takes it when something first needs it. Its methods
// are for the goroutine of New and Run, which reloads, too; those below are for the shadow's as
// well, which saves the quarantine at any time.
type folder struct {
	state.Folder
	simulated bool

	mu sync.Mutex // of taking it, and of what is saved by more than one goroutine
}

// ownWait is how long the owner of the state folder may take to end: commands own it
// for a moment when no agent does.
const ownWait = time.Second

// own takes the state folder, for real things or for simulated ones.
func (f *folder) own() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // New has no context; it ends before that
	defer cancel()
	if err := pub.Take(ctx, &f.Folder, ownWait); err != nil {
		return err
	}
	return f.Claim(f.simulated)
}

// Quarantine reports whether an earlier process was in quarantine: none without a folder.
func (f *folder) Quarantine() (since time.Time, on bool) {
	if f.Dir == "" {
		return since, false
	}
	return f.Folder.Quarantine()
}

// SetQuarantine saves the quarantine in the folder, which must be owned.
func (f *folder) SetQuarantine(since time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Folder.SetQuarantine(since)
}

// Close gives the folder up.
func (f *folder) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Folder.Close()
}
