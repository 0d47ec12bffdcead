package agent

import (
	"context"
	"fmt"
	"net"
	"os"

	"pithings/awsiot/jobs"
)

// rebootSocket is there while the administrator allows reboots (deploy/pithings-reboot.socket):
// systemd reboots when it is opened. The agent itself has no right to.
const rebootSocket = "/run/pithings-reboot.socket"

// reboot boots the machine anew, through the socket alone.
func (s *jobService) reboot() jobs.Handler {
	across := jobs.AcrossBoots(func(ctx context.Context, _ *jobs.Job) error {
		c, err := new(net.Dialer).DialContext(ctx, "unix", s.rebooter)
		if err != nil {
			return fmt.Errorf("the reboot could not be asked for: %w", err)
		}
		return c.Close()
	})
	return func(ctx context.Context, j *jobs.Job) jobs.Result {
		info, err := os.Stat(s.rebooter)
		if there := err == nil && info.Mode()&os.ModeSocket != 0; !there && !j.Resumed {
			return jobs.Reject("jobs may not reboot this machine; to allow it, on the machine: sudo systemctl enable --now pithings-reboot.socket")
		}
		return across(ctx, j)
	}
}
