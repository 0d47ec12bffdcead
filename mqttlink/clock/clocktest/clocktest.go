// Package clocktest is a machine whose clock a test sets, for package clock and
// what stands above it. Its clocks go with those of the test, so that in a bubble
// of testing/synctest they move only when the test lets them.
package clocktest

import (
	"fmt"
	"io/fs"
	"maps"
	"sync"
	"testing/fstest"
	"time"

	"pithings/mqttlink/clock"
)

// Machine is a Linux machine without a battery. Its methods may be called from
// several goroutines at once.
type Machine struct {
	mu     sync.Mutex
	files  fstest.MapFS
	start  time.Time // of this boot, by the test's clock
	wall   time.Duration
	synced bool
	denied error
	boots  int
}

// Epoch is what the wall clock reads when the machine is booted.
var Epoch = time.Unix(0, 0).UTC()

// New returns a machine that has just been booted: its clock starts in 1970, and
// systemd-timesyncd runs and has not got the time yet.
func New() *Machine {
	m := &Machine{}
	m.Boot()
	return m
}

// Boot starts the machine again. What was in /run is gone.
func (m *Machine) Boot() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.boots++
	m.start, m.wall, m.synced = time.Now(), 0, false
	m.files = fstest.MapFS{
		"proc/sys/kernel/random/boot_id": {Data: fmt.Appendf(nil, "00000000-0000-4000-8000-%012x\n", m.boots)},
		"run/systemd/timesync":           {Mode: fs.ModeDir | 0o755},
	}
}

// Set sets the wall clock.
func (m *Machine) Set(t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wall = t.Sub(Epoch) - time.Since(m.start)
}

// Step sets the wall clock forward, or back.
func (m *Machine) Step(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wall += d
}

// Synchronise sets the wall clock and lets the kernel say that it is synchronised.
func (m *Machine) Synchronise(t time.Time) {
	m.Set(t)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.synced = true
}

// Deny lets asking the kernel fail; nil ends that.
func (m *Machine) Deny(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.denied = err
}

// Put writes a file of the system, as fstest.MapFS has it. The file trees that
// were handed out before do not see it half done.
func (m *Machine) Put(path string, f *fstest.MapFile) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files = maps.Clone(m.files)
	m.files[path] = f
}

// PutRTC gives the machine a real-time clock from which the kernel has set its clock
// at boot, if set, and which reads t.
func (m *Machine) PutRTC(name string, set bool, t time.Time) {
	hctosys := "0\n"
	if set {
		hctosys = "1\n"
	}
	m.Put("sys/class/rtc/"+name+"/hctosys", &fstest.MapFile{Data: []byte(hctosys)})
	m.Put("sys/class/rtc/"+name+"/since_epoch", &fstest.MapFile{Data: fmt.Appendf(nil, "%d\n", t.Unix())})
}

// Remove takes a file away.
func (m *Machine) Remove(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files = maps.Clone(m.files)
	delete(m.files, path)
}

// Now is the wall clock.
func (m *Machine) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Epoch.Add(m.wall + time.Since(m.start))
}

// Uptime is the time since boot.
func (m *Machine) Uptime() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Since(m.start)
}

// Machine is what a clock looks at.
func (m *Machine) Machine() *clock.Machine {
	return &clock.Machine{Root: tree{m}, Now: m.Now, Uptime: m.Uptime, Synchronised: func() (bool, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.synced && m.denied == nil, m.denied
	}}
}

// tree is the machine's file tree.
type tree struct{ m *Machine }

func (t tree) now() fstest.MapFS {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	return t.m.files
}

func (t tree) Open(name string) (fs.File, error)          { return t.now().Open(name) }
func (t tree) ReadLink(name string) (string, error)       { return t.now().ReadLink(name) }
func (t tree) Lstat(name string) (fs.FileInfo, error)     { return t.now().Lstat(name) }
func (t tree) ReadDir(name string) ([]fs.DirEntry, error) { return t.now().ReadDir(name) }
