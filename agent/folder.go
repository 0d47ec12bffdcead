package agent

import (
	"context"
	"time"

	"pithings/spool/pub"
	"pithings/spool/state"
)

// folder is the state folder of an agent, which takes it when something first needs it.
type folder struct {
	state.Folder
	simulated bool
}

// ownWait is how long the owner of the state folder may take to end: commands own it
// for a moment when no agent does.
const ownWait = time.Second

// own takes the state folder, for real things or for simulated ones.
func (f *folder) own() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // New has no context; it ends before that
	defer cancel()
	if err := pub.Take(ctx, &f.Folder, ownWait); err != nil {
		return err
	}
	return f.Claim(f.simulated)
}
