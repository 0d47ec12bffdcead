package pi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"pithings/hw"
)

// problem is an error with a text of its own that is both one of hw's reasons
// and its cause, for errors.Is.
type problem struct {
	text          string
	reason, cause error
}

func (p *problem) Error() string { return p.text }

func (p *problem) Unwrap() []error {
	if p.cause == nil {
		return []error{p.reason}
	}
	return []error{p.reason, p.cause}
}

// because makes a problem: "WHAT: REASON: why; what to do".
func because(reason, cause error, what, format string, args ...any) error {
	return &problem{text: what + ": " + reason.Error() + ": " + fmt.Sprintf(format, args...), reason: reason, cause: cause}
}

// openError explains why the device node could not be opened; missing says
// what to do when there is no such node.
func openError(node string, err error, missing string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return because(hw.ErrNotFound, err, node, "%s", missing)
	case errors.Is(err, fs.ErrPermission):
		return permissionError(node, err)
	case errors.Is(err, unix.EBUSY):
		return because(hw.ErrBusy, err, node, "it is open elsewhere; close the other program first (sudo fuser %s names it)", node)
	}
	return fmt.Errorf("%s: %w", node, err)
}

// permissionError says which group may open the node, or what else is in the way.
func permissionError(node string, cause error) error {
	info, err := os.Stat(node)
	if err != nil {
		return because(hw.ErrPermission, cause, node, "%v", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return because(hw.ErrPermission, cause, node, "mode %s", info.Mode())
	}
	groups, _ := os.Getgroups()
	return because(hw.ErrPermission, cause, node, "%s",
		groupAdvice(node, info.Mode().Perm(), int(st.Gid), append(groups, os.Getegid()), groupName(int(st.Gid)), userName()))
}

// groupAdvice says what a user who has the groups mine has to do to open a node
// of this mode and group.
func groupAdvice(node string, mode fs.FileMode, gid int, mine []int, group, user string) string {
	switch {
	case gid == 0 || mode&0o060 != 0o060:
		advice := fmt.Sprintf("only root may open it (group %s, mode %#o)", group, mode)
		for _, n := range hw.AllNodes() {
			if strings.HasPrefix(filepath.Base(node), n.Prefix) {
				return advice + fmt.Sprintf(`; write SUBSYSTEM=="%s", GROUP="%s", MODE="0660" into /etc/udev/rules.d/60-pithings.rules and run `+
					"`sudo udevadm trigger`", n.Subsystem, n.Group)
			}
		}
		return advice + "; a udev rule has to give it to a group"
	case slices.Contains(mine, gid):
		return fmt.Sprintf("user %s is in its group %s, so a sandbox forbids it; look at DeviceAllow= and PrivateDevices= of the service", user, group)
	}
	return fmt.Sprintf("user %s is not in group %s; run `sudo usermod -aG %s %s` and log in again (in a service: SupplementaryGroups=%s)",
		user, group, group, user, group)
}

func groupName(gid int) string {
	if g, err := user.LookupGroupId(strconv.Itoa(gid)); err == nil {
		return g.Name
	}
	return strconv.Itoa(gid)
}

func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Geteuid())
}

// is reports whether err is, or ends in the words of, one of the errnos. periph
// and webcam hand out some of the kernel's errors as text only.
func is(err error, errnos ...unix.Errno) bool {
	for _, e := range errnos {
		if errors.Is(err, e) || err != nil && strings.HasSuffix(err.Error(), e.Error()) {
			return true
		}
	}
	return false
}
