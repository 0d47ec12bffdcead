package guest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Unbind takes a device away from its driver, as if it was unplugged, and bind
// gives it back. entry is the device's folder in /sys/class, such as
// "/sys/class/graphics/fb0"; it need not have a driver itself, but what it
// belongs to.
func Unbind(entry string) (bind func() error, err error) {
	device, err := filepath.EvalSymlinks(entry)
	if err != nil {
		return nil, err
	}
	for ; device != "/sys/devices"; device = filepath.Dir(device) {
		driver, err := filepath.EvalSymlinks(device + "/driver")
		if err != nil {
			continue
		}
		write := func(file string) error {
			return os.WriteFile(filepath.Join(driver, file), []byte(filepath.Base(device)), 0)
		}
		return func() error { return write("bind") }, write("unbind")
	}
	return nil, fmt.Errorf("%s: no driver", entry)
}

// Processes are the programs of a name that run; those that wait for their
// parent to take note of their end do not count.
func Processes(name string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		// PID (NAME) STATE …
		_, rest, found := bytes.Cut(text, []byte(" ("+name+") "))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if found && err == nil && !strings.HasPrefix(string(rest), "Z") {
			pids = append(pids, pid)
		}
	}
	return pids
}
