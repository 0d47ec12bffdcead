package clock

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// What shows that a time service runs, by its name. The second of each pair may be
// a folder of the service's own that others may not look into.
var running = []struct{ name, path string }{
	{"systemd-timesyncd", "run/systemd/timesync"}, // its RuntimeDirectory=, removed when it stops
	{"chrony", "run/chrony/chronyd.pid"},
	{"chrony", "run/chronyd.pid"},
	{"ntpd", "run/ntpd.pid"},
	{"ntpsec", "run/ntpsec/ntpd.pid"},
	{"openntpd", "run/openntpd.pid"},
	{"openntpd", "run/ntpd.sock"},
}

// The names that the services' units, scripts and processes have. The kernel cuts
// the names of processes to 15 bytes.
var (
	units     = []string{"systemd-timesyncd", "chrony", "chronyd", "ntp", "ntpd", "ntpsec", "openntpd"}
	scripts   = []string{"chrony", "chronyd", "ntp", "ntpd", "ntpsec", "openntpd", "busybox-ntpd", "sntpd"}
	processes = []string{"systemd-timesyn", "chronyd", "ntpd", "ntpsec", "openntpd", "sntpd"}
)

// timeService returns the name of a service that runs, or is to be started at
// boot, and sets the clock; "" if there is none.
func (m *Machine) timeService() string {
	for _, r := range running {
		if m.there(r.path) {
			return r.name
		}
	}
	// In a container these have ConditionVirtualization=!container, or no CAP_SYS_TIME.
	if m.there("run/systemd/system") && !m.there("run/systemd/container") { // as sd_booted(3)
		if name := m.enabledUnit(); name != "" {
			return name
		}
	}
	if name := m.enabledScript(); name != "" && !m.there("run/systemd/system") {
		return name
	}
	return m.process()
}

// there reports whether a file is there. One that may not be looked at is.
func (m *Machine) there(name string) bool {
	_, err := fs.Stat(m.Root, name)
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// enabledUnit returns the name of a service that systemd starts, by the links of
// the units that want it. A unit that is masked is not started.
func (m *Machine) enabledUnit() string {
	for _, dir := range []string{"etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system", "run/systemd/system"} {
		wants, err := fs.Glob(m.Root, dir+"/*.wants")
		if err != nil {
			continue
		}
		for _, w := range wants {
			for _, u := range units {
				unit := u + ".service"
				// The link itself counts, not whether it leads anywhere from here.
				if _, err := fs.Lstat(m.Root, path.Join(w, unit)); err == nil && !m.masked(unit) {
					return u
				}
			}
		}
	}
	return ""
}

func (m *Machine) masked(unit string) bool {
	for _, dir := range []string{"etc/systemd/system", "run/systemd/system"} {
		if to, err := fs.ReadLink(m.Root, path.Join(dir, unit)); err == nil && to == "/dev/null" {
			return true
		}
	}
	return false
}

// enabledScript returns the name of a service that System V init, buildroot's init
// or OpenRC starts.
func (m *Machine) enabledScript() string {
	for _, pattern := range []string{"etc/rc[2-5S].d/S[0-9][0-9]*", "etc/init.d/S[0-9][0-9]*", "etc/runlevels/*/*"} {
		links, _ := fs.Glob(m.Root, pattern)
		for _, l := range links {
			name := path.Base(l)
			if !strings.HasPrefix(pattern, "etc/runlevels") {
				name = name[len("S00"):]
			}
			if slices.Contains(scripts, name) {
				return name
			}
		}
	}
	return ""
}

// process returns the name of a service that runs as a process. It is looked for
// last: a Pi has two hundred of them.
func (m *Machine) process() string {
	entries, _ := fs.ReadDir(m.Root, "proc")
	for _, e := range entries {
		if n := e.Name(); n[0] < '0' || n[0] > '9' {
			continue
		}
		if name := m.text(path.Join("proc", e.Name(), "comm")); slices.Contains(processes, name) {
			return name
		}
	}
	return ""
}
