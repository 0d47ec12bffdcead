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

// produce appends, delivers a part, and reports both, until it is killed.
func produce(mode, dir string) {
	s, err := ParseSync(mode)
	if err == nil {
		var d *Disk
		if d, err = Open(dir, DiskOptions{Sync: s, Interval: 10 * time.Millisecond, segment: 32 << 10}); err == nil {
			for {
				var seq uint64
				if seq, err = d.Append(Record{Topic: "t", Payload: fmt.Appendf(nil, "%d %s", d.unsaved.next, strings.Repeat("x", rand.IntN(600))), QoS: 1}); err != nil {
					break
				}
				fmt.Printf("safe %d\n", seq)
				if seq%64 >= 40 { // live, before the others
					fmt.Printf("about-one %d\n", seq)
					if d.AckOne(seq) == nil {
						fmt.Printf("acked-one %d\n", seq)
					}
				} else if rand.IntN(3) == 0 {
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

// A producer is killed again and again: what it has reported safe is there, in
// order, and what it has reported delivered is not, in any order and any mode.
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
			ones := map[uint64]bool{} // acknowledged by themselves, or (false) nearly
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
					case "about-one", "acked-one":
						ones[n] = word == "acked-one"
					}
				}
				if err := cmd.Wait(); err == nil {
					t.Fatal("the producer ended")
				}
				stop.Stop()
				safe = inspect(t, dir, round, safe, about, acked, ones)
			}
		})
	}
}

// inspect compares what is found with what was reported, and returns the last message.
func inspect(t *testing.T, dir string, round int, safe, about, acked uint64, ones map[uint64]bool) uint64 {
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
	// passed continues over messages that were, or may have been, acknowledged by themselves.
	passed := func(seq, before uint64) uint64 {
		for seq+1 < before {
			if _, known := ones[seq+1]; !known {
				break
			}
			seq++
		}
		return seq
	}
	for pos, n := uint64(0), 0; ; n++ {
		r, ok, err := d.Next(pos)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			last = max(last, passed(last, safe+1))
			if d.Len() != n {
				t.Fatalf("round %d: %d messages found, %d counted", round, n, d.Len())
			}
			break
		}
		switch {
		case r.Seq <= acked, ones[r.Seq]:
			t.Fatalf("round %d: message %d is back, acknowledged %d", round, r.Seq, acked)
		case pos == 0 && r.Seq > passed(max(about, acked), r.Seq)+1, pos > 0 && r.Seq != passed(pos-1, r.Seq)+1:
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
	if s := d.Stats(); s.Damaged+s.Torn > 0 || s.DamagedFiles > 0 {
		t.Fatalf("round %d: %+v", round, s)
	}
	return d.unsaved.next - 1
}
