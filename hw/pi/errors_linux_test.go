package pi

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"pithings/hw"
)

func TestOpenErrorsSayWhatToDo(t *testing.T) {
	node := t.TempDir() + "/i2c-1"
	if err := os.WriteFile(node, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		cause error
		is    error
		says  string
	}{
		{"no node", &fs.PathError{Op: "open", Path: node, Err: unix.ENOENT}, hw.ErrNotFound, "switch I²C on"},
		{"node without a device", unix.ENXIO, hw.ErrNotFound, "switch I²C on"},
		{"in use", unix.EBUSY, hw.ErrBusy, "sudo fuser"},
		{"not allowed", &fs.PathError{Op: "open", Path: node, Err: unix.EACCES}, hw.ErrPermission, "only root"},
		{"forbidden by a sandbox", unix.EPERM, hw.ErrPermission, node},
		{"anything else", unix.ENOMEM, unix.ENOMEM, "cannot allocate memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := openError(node, c.cause, i2cMissing)
			if !errors.Is(err, c.is) || !errors.Is(err, c.cause) {
				t.Errorf("%v is not both %v and %v", err, c.is, c.cause)
			}
			if text := err.Error(); !strings.Contains(text, c.says) || !strings.Contains(text, node) || strings.Contains(text, "\n") {
				t.Errorf("%q does not say %q of %s in one line", text, c.says, node)
			}
		})
	}
}

func TestPermissionAdviceNamesTheGroup(t *testing.T) {
	for _, c := range []struct {
		name string
		mode fs.FileMode
		gid  int
		mine []int
		want string
	}{
		{"not in the group", 0o660, 998, []int{1000, 44}, "run `sudo usermod -aG gpio ann`"},
		{"in the group, and still refused", 0o660, 998, []int{1000, 998}, "DeviceAllow="},
		{"root only", 0o600, 0, []int{1000}, "only root may open it"},
		{"the group may only read", 0o640, 998, []int{1000}, "only root may open it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := groupAdvice("/dev/gpiochip0", c.mode, c.gid, c.mine, "gpio", "ann"); !strings.Contains(got, c.want) || !strings.Contains(got, "gpio") {
				t.Errorf("%q does not say %q", got, c.want)
			}
		})
	}
}

func TestErrnosAreFoundInTexts(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{errors.New("line_request ioctl: device or resource busy"), true}, // gpioioctl
		{errors.New("Failed to map request buffers: device or resource busy"), true},
		{&fs.PathError{Op: "open", Path: "x", Err: unix.EBUSY}, true},
		{errors.New("device or resource busy: said the other"), false},
		{errors.New("invalid argument"), false},
		{nil, false},
	} {
		if got := is(c.err, unix.EINVAL+1, unix.EBUSY); got != c.want {
			t.Errorf("is(%v, EBUSY) = %v", c.err, got)
		}
	}
}

// The rule that was recommended had an ellipsis, and the group video for every node.
func TestUdevRuleNamesSubsystemAndGroup(t *testing.T) {
	for node, want := range map[string]string{
		"/dev/gpiochip0": `SUBSYSTEM=="gpio", GROUP="gpio", MODE="0660"`,
		"/dev/i2c-1":     `SUBSYSTEM=="i2c-dev", GROUP="i2c", MODE="0660"`,
		"/dev/video0":    `SUBSYSTEM=="video4linux", GROUP="video", MODE="0660"`,
		"/dev/fb0":       `SUBSYSTEM=="graphics", GROUP="video", MODE="0660"`,
	} {
		if got := groupAdvice(node, 0o600, 0, nil, "root", "ann"); !strings.Contains(got, want) || strings.Contains(got, "…") {
			t.Errorf("%s: %s", node, got)
		}
	}
}
