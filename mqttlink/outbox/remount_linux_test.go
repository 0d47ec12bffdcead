package outbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// loopDisk is an ext4 file system of its own on a loop device.
type loopDisk struct {
	t      *testing.T
	image  string
	device string // /dev/loopN
	dir    string // where it is mounted
}

// newLoopDisk makes and mounts one, or says why not.
func newLoopDisk(t *testing.T) *loopDisk {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting an ext4 image needs root")
	}
	for _, tool := range []string{"mkfs.ext4", "e2fsck", "losetup"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("packages e2fsprogs and mount: %v", err)
		}
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip("this kernel has no loop devices: ", err)
	}
	l := &loopDisk{t: t, image: filepath.Join(t.TempDir(), "image"), dir: t.TempDir()}
	l.must(os.WriteFile(l.image, nil, 0o600))
	l.must(os.Truncate(l.image, 32<<20))
	l.run("mkfs.ext4", "-q", "-F", l.image)
	if out, err := exec.Command("losetup", "--find").CombinedOutput(); err != nil && os.Getenv("CI") == "" {
		t.Skipf("no loop device is to be had, as in most containers: %v\n%s", err, out)
	}
	l.mount()
	t.Cleanup(func() { l.unmount() })
	return l
}

func (l *loopDisk) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *loopDisk) run(name string, arg ...string) string {
	l.t.Helper()
	out, err := exec.Command(name, arg...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s %s: %v\n%s", name, strings.Join(arg, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (l *loopDisk) mount() {
	l.t.Helper()
	l.device = l.run("losetup", "--find", "--show", l.image)
	l.must(syscall.Mount(l.device, l.dir, "ext4", 0, "errors=remount-ro"))
}

// unmount takes it away although files are open.
func (l *loopDisk) unmount() {
	l.t.Helper()
	if l.device == "" {
		return
	}
	l.must(syscall.Unmount(l.dir, syscall.MNT_DETACH))
	l.run("losetup", "--detach", l.device) // when the last file on it has been closed
	l.device = ""
}

// breakDown lets the kernel find an error in the file system, after which nothing can
// be written: with files open for writing a plain remount is refused.
func (l *loopDisk) breakDown() {
	l.t.Helper()
	if err := syscall.Mount("", l.dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); !errors.Is(err, syscall.EBUSY) {
		l.t.Errorf("a remount while the log is open for writing: %v", err)
	}
	l.must(os.WriteFile(filepath.Join("/sys/fs/ext4", filepath.Base(l.device), "trigger_fs_error"), []byte("outbox test"), 0o200))
}

// repair does what a reboot does: unmount, check, mount again.
func (l *loopDisk) repair() {
	l.t.Helper()
	image := l.image + ".repaired"
	b, err := os.ReadFile(l.device) // what is on it, even while the old mount has it
	l.must(err)
	l.unmount()
	l.must(os.WriteFile(image, b, 0o600))
	l.image = image
	if out, err := exec.Command("e2fsck", "-fy", image).CombinedOutput(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() > 2 { // e2fsck(8): 1, 2: errors were corrected
			l.t.Fatalf("e2fsck: %v\n%s", err, out)
		}
	}
	l.mount()
}

// A file system that the kernel makes read-only while the log is open, as it does when
// an SD card fails: what is appended is unsaved, all can be read, and when the disk has
// been repaired it becomes safe in the same process.
func TestRemountedReadOnly(t *testing.T) {
	for _, mode := range []Sync{SyncAlways, SyncInterval} {
		t.Run(mode.String(), func(t *testing.T) {
			l := newLoopDisk(t)
			dir := filepath.Join(l.dir, "box")
			d := openDisk(t, dir, DiskOptions{Sync: mode, Interval: 20 * time.Millisecond, Retry: 10 * time.Millisecond, RetryMax: 50 * time.Millisecond, segment: 256 << 10})
			var want []string
			var last uint64
			unsaved := 0
			add := func() {
				t.Helper()
				p := fmt.Sprintf("%d%s", len(want), strings.Repeat(".", 1000))
				seq, err := d.Append(Record{Topic: "t", Payload: []byte(p), QoS: 1})
				if errors.Is(err, ErrUnsaved) {
					unsaved++
				} else if err != nil {
					t.Fatal(err)
				}
				want, last = append(want, p), seq
			}
			for range 400 {
				add()
			}
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				add()
			}
			if unsaved > 0 {
				t.Fatalf("%d messages are unsaved on a disk that is well: %+v", unsaved, d.Stats())
			}
			l.breakDown()
			for len(want) < 600 || unsaved < 100 {
				if add(); len(want) > 5000 {
					t.Fatalf("nothing is unsaved: %+v", d.Stats())
				}
			}
			if err := d.Stats().Err; !errors.Is(err, syscall.EROFS) {
				t.Errorf("the reason is %v", err)
			}
			if err := d.Ack(10); err != nil {
				t.Fatal(err)
			}
			if err := d.AckOne(last); err != nil { // it went out before the others
				t.Fatal(err)
			}
			want = want[10 : len(want)-1]
			if found := payloads(t, d); fmt.Sprint(found) != fmt.Sprint(want) {
				t.Fatalf("%d messages found while nothing can be written, want %d", len(found), len(want))
			}
			l.repair()
			if err := d.Safe(t.Context(), last); err != nil {
				t.Fatal(err)
			}
			if s := d.Stats(); s.Unsaved != 0 || s.Err != nil || s.Messages != len(want) {
				t.Errorf("repaired: %+v, want %d messages", s, len(want))
			}
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, DiskOptions{}); !errors.Is(err, ErrLocked) {
				t.Errorf("the folder is not locked any more: %v", err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			d = openDisk(t, dir, DiskOptions{segment: 256 << 10})
			if found := payloads(t, d); fmt.Sprint(found) != fmt.Sprint(want) || d.Len() != len(want) {
				t.Fatalf("%d messages found after the repair, want %d: %+v", len(found), len(want), d.Stats())
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
