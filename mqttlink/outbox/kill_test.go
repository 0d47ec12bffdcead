package outbox

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// killMode makes the test binary a producer that is killed.
const killMode = "OUTBOX_TEST_PRODUCER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(killMode); mode != "" {
		produce(mode, os.Args[len(os.Args)-1])
		return
	}
	os.Exit(m.Run())
}

// produce appends, delivers a part, and tells of both, until it is killed.
func produce(mode, dir string) {
	s, err := ParseSync(mode)
	if err == nil {
		var d *Disk
		if d, err = Open(dir, DiskOptions{Sync: s, Interval: 10 * time.Millisecond, segment: 32 << 10}); err == nil {
			for {
				var seq uint64
				if seq, err = d.Append(Record{Topic: "t", Payload: fmt.Appendf(nil, "%d %s", d.next, strings.Repeat("x", rand.IntN(600))), QoS: 1}); err != nil {
					break
				}
				fmt.Printf("safe %d\n", seq)
				if rand.IntN(3) == 0 {
					if r, ok, err := d.Next(0); ok && err == nil {
						upTo := min(r.Seq+uint64(rand.IntN(5)), seq)
						fmt.Printf("about %d\n", upTo)
						if d.Ack(upTo) == nil {
							fmt.Printf("acked %d\n", upTo)
						}
					}
				}
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A producer is killed again and again: what it has told to be safe is there, in
// order, and what it has told to be delivered is not, in any mode.
func TestKill(t *testing.T) {
	rounds := 24
	if testing.Short() {
		rounds = 3
	}
	for _, mode := range []Sync{SyncAlways, SyncInterval, SyncNever} {
		// Not in parallel: a process that is being started has our locks until it execs.
		t.Run(mode.String(), func(t *testing.T) {
			dir := t.TempDir()
			var safe, about, acked uint64
			for round := range rounds {
				cmd := exec.Command(os.Args[0], dir)
				cmd.Env = append(os.Environ(), killMode+"="+mode.String())
				cmd.Stderr = os.Stderr
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				stop := time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { cmd.Process.Kill() })
				lines := bufio.NewReader(out)
				for {
					line, err := lines.ReadString('\n')
					if err == io.EOF {
						break // the last line may be cut off
					}
					if err != nil {
						break
					}
					var word string
					var n uint64
					if _, err := fmt.Sscan(line, &word, &n); err != nil {
						t.Fatalf("%q: %v", line, err)
					}
					switch word {
					case "safe":
						safe = n
					case "about":
						about = n
					case "acked":
						acked = n
					}
				}
				if err := cmd.Wait(); err == nil {
					t.Fatal("the producer ended")
				}
				stop.Stop()
				safe = inspect(t, dir, round, safe, about, acked)
			}
		})
	}
}

// inspect compares what is found with what was told, and returns the last message.
func inspect(t *testing.T, dir string, round int, safe, about, acked uint64) uint64 {
	t.Helper()
	d, err := Open(dir, DiskOptions{segment: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	last := acked
	for pos := uint64(0); ; {
		r, ok, err := d.Next(pos)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		switch {
		case r.Seq <= acked:
			t.Fatalf("round %d: message %d is back, acknowledged %d", round, r.Seq, acked)
		case pos == 0 && r.Seq > max(about, acked)+1, pos > 0 && r.Seq != pos:
			t.Fatalf("round %d: message %d found after %d, acknowledged %d", round, r.Seq, pos, acked)
		case !strings.HasPrefix(string(r.Payload), fmt.Sprintf("%d ", r.Seq)):
			t.Fatalf("round %d: message %d is %.20q", round, r.Seq, r.Payload)
		}
		last = r.Seq
		pos = r.Seq + 1
	}
	if last < safe && about < safe {
		t.Fatalf("round %d: safe up to %d, found up to %d", round, safe, last)
	}
	if s := d.Stats(); s.Damaged+s.Torn > 0 || s.SetAside > 0 {
		t.Fatalf("round %d: %+v", round, s)
	}
	return d.next - 1
}
