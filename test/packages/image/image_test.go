//go:build packages && linux

package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pithings/test/binary"
)

const deployed = "../../../deploy/container"

// builder runs buildah with a storage of the test's own.
type builder struct {
	t       *testing.T
	program string
	storage []string
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	if os.Geteuid() != 0 {
		binary.Lacks(t, "buildah needs root here: its chroot does")
	}
	dir := t.TempDir()
	b := &builder{t: t, program: binary.Need(t, "buildah"),
		storage: []string{"--storage-driver", "vfs", "--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run")}}
	return b
}

func (b *builder) command(args ...string) *exec.Cmd {
	return exec.Command(b.program, append(slices.Clone(b.storage), args...)...)
}

// do returns what a command prints.
func (b *builder) do(args ...string) string {
	b.t.Helper()
	var stderr bytes.Buffer
	c := b.command(args...)
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		b.t.Fatalf("buildah %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// build makes the image of a program built for this machine.
func (b *builder) build() (image string) {
	b.t.Helper()
	context := b.t.TempDir()
	program := filepath.Join(context, "dist", "pithings-linux-"+runtime.GOARCH)
	if err := os.Mkdir(filepath.Dir(program), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := binary.Build(program, "CGO_ENABLED=0"); err != nil {
		b.t.Fatal(err)
	}
	b.do("build", "--isolation", "chroot", "--format", "docker", "--platform", "linux/"+runtime.GOARCH,
		"--tag", "pithings", "--file", filepath.Join(deployed, "Dockerfile"), context)
	return "pithings"
}

func TestImage(t *testing.T) {
	b := newBuilder(t)
	image := b.build()
	container := b.do("from", image)

	t.Run("its contents", func(t *testing.T) {
		root := b.do("mount", container)
		defer b.do("unmount", container)
		var found []string
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil || path == root {
				return err
			}
			name := strings.TrimPrefix(path, root)
			info, err := e.Info()
			if err != nil {
				return err
			}
			if !e.IsDir() || name == "/var/lib/pithings" {
				found = append(found, fmt.Sprintf("%s %v %d", name, info.Mode(), info.Sys().(*syscall.Stat_t).Uid))
			}
			return nil
		})
		// The file has the owner and mode of the program in dist.
		want := []string{"/usr/bin/pithings -rwxr-xr-x 0", "/var/lib/pithings drwxr-xr-x 65532"}
		if err != nil || !slices.Equal(found, want) {
			t.Errorf("the image has %q, want %q, %v", found, want, err)
		}
	})

	t.Run("its settings", func(t *testing.T) {
		var about struct {
			Docker struct {
				Config struct {
					User        string
					Entrypoint  []string
					Volumes     map[string]struct{}
					Healthcheck struct{ Test []string }
				} `json:"config"`
			} `json:"Docker"`
		}
		if err := json.Unmarshal([]byte(b.do("inspect", "--type", "image", image)), &about); err != nil {
			t.Fatal(err)
		}
		c := about.Docker.Config
		if _, volume := c.Volumes["/var/lib/pithings"]; c.User != "65532:65532" || !volume ||
			!slices.Equal(c.Entrypoint, []string{"/usr/bin/pithings"}) || !slices.Equal(c.Healthcheck.Test, []string{"CMD", "/usr/bin/pithings", "health"}) {
			t.Errorf("the image is set up so: %+v", c)
		}
	})

	t.Run("its work", func(t *testing.T) {
		web := freeAddress(t)
		file := filepath.Join(t.TempDir(), "pithings.yaml")
		text := fmt.Sprintf("broker: {listen: %q}\nhttp: {listen: %q}\nclock: trust\nthings: [{name: one, type: motion, pin: mock}]\n", freeAddress(t), web)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		run := func(command ...string) *exec.Cmd {
			return b.command(append([]string{"run", "--isolation", "chroot", "-v", file + ":/etc/pithings/pithings.yaml:ro", container, "--", "/usr/bin/pithings"}, command...)...)
		}
		if out, err := run("health").CombinedOutput(); err == nil {
			t.Errorf("without an agent the health check passes: %s", out)
		}
		var log bytes.Buffer
		agent := run("run", "--config", "/etc/pithings/pithings.yaml") // as CMD has it
		agent.Stdout, agent.Stderr = &log, &log
		if err := agent.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- agent.Wait() }()
		stop := func() {
			agent.Process.Signal(syscall.SIGTERM)
			select {
			case <-ended:
			case <-time.After(binary.Patience):
				t.Error("the container does not end after SIGTERM")
				agent.Process.Kill()
				<-ended
			}
			if t.Failed() {
				t.Logf("the agent: %s", log.String())
			}
		}
		defer stop()
		var page struct {
			Things map[string]struct {
				State string `json:"state"`
			} `json:"things"`
		}
		for end := time.Now().Add(binary.Patience); page.Things["one"].State != "up"; time.Sleep(20 * time.Millisecond) {
			if r, err := http.Get("http://" + web + "/healthz"); err == nil {
				err = json.NewDecoder(r.Body).Decode(&page)
				r.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
			}
			if time.Now().After(end) {
				t.Fatal("/healthz does not say that the thing works")
			}
		}
		if out, err := run("health").CombinedOutput(); err != nil || !strings.Contains(string(out), "works") {
			t.Errorf("the health check: %v, %s", err, out)
		}
		var status []byte
		procs, err := filepath.Glob("/proc/[0-9]*/exe")
		if err != nil {
			t.Fatal(err)
		}
		for _, exe := range procs {
			if to, _ := os.Readlink(exe); strings.HasSuffix(to, "/usr/bin/pithings") {
				if b, err := os.ReadFile(filepath.Join(filepath.Dir(exe), "status")); err == nil && strings.Contains(string(b), "\nUid:\t65532\t") {
					status = b
				}
			}
		}
		if status == nil {
			t.Error("no process of the image runs as its user 65532")
		}
	})
}

// docker-compose takes the file, given the groups' numbers, and says what is missing without.
func TestCompose(t *testing.T) {
	compose := binary.Need(t, "docker-compose")
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join(deployed, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	config := func() (string, error) {
		c := exec.Command(compose, "config")
		c.Dir = dir
		c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := config(); err == nil || !strings.Contains(out, "see the top of compose.yaml") {
		t.Errorf("without the groups: %v, %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("GPIO_GID=993\nI2C_GID=994\nVIDEO_GID=44\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := config()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"restart: unless-stopped", "- '993'", "- /dev/gpiochip0", "- /tmp:", "state:/var/lib/pithings", "read_only: true"} {
		if !strings.Contains(out, want) {
			t.Errorf("the compose file has no %q:\n%s", want, out)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
