package agent

import (
	"context"
	"log/slog"
	"time"

	"pithings/api"
	"pithings/spool/control"
)

const controlName = "control"

// controlRetry is how often it is tried to make the socket that could not be made.
const controlRetry = 2 * time.Second

// controlService is the socket for other processes, if this one owns the state folder. Without
// it the agent does all else. It stands on the connections: what others hand over is reported
// to be safe until it has ended.
type controlService struct {
	folder *folder
	wanted func() bool // this process owns the state folder
	shared bool        // there is a socket for those who do not know the state folder, too
	log    *slog.Logger
	routes []api.Route
	server *control.Server // nil if the state folder takes no socket, or is not needed
}

// Name implements Service.
func (c *controlService) Name() string { return controlName }

// listen makes the socket.
func (c *controlService) listen() error {
	if !c.wanted() {
		return nil
	}
	s, err := control.Listen(c.folder.Socket(), c.log)
	if err != nil {
		return err
	}
	if c.shared {
		if _, err := s.Share(c.folder.Dir); err != nil {
			c.log.Warn("shared socket cannot be made: commands find this agent by its state folder only (--state)", "dir", c.folder.Dir, "err", err)
		}
	}
	s.Serve(c.routes...)
	c.server = s
	return nil
}

// Run serves other processes until ctx is done. On a disk that cannot be written there is no
// socket until it can.
func (c *controlService) Run(ctx context.Context) error {
	for c.server == nil && c.wanted() {
		select { // nothing reports when it can
		case <-time.After(controlRetry):
		case <-ctx.Done():
			return nil
		}
		if c.listen() == nil {
			c.log.Info("local socket is there: commands reach this agent")
		}
	}
	if c.server == nil {
		return nil
	}
	err := c.server.Run(ctx)
	c.server = nil
	return err
}

// Close removes the socket of a server that never ran.
func (c *controlService) Close() error {
	if c.server != nil {
		c.server.Close()
		c.server = nil
	}
	return nil
}
