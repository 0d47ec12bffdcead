package outbox

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/mqttlink/outbox"
)

// queued is how many messages wait in a box that is opened.
const queued = 100_000

// opening is what opening a box took of a process of its own.
type opening struct {
	Took  time.Duration
	RSS   int64 // bytes more than before, all that opening has touched for the first time
	Heap  int64
	Found int
}

// openEnv makes the test binary a process that opens the box it names.
const openEnv = "OUTBOX_BENCH_OPEN"

func TestMain(m *testing.M) {
	dir := os.Getenv(openEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	o, err := measureOpen(dir)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measureOpen(dir string) (o opening, err error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	rss := residentSet()
	began := time.Now()
	d, err := outbox.Open(dir, outbox.DiskOptions{})
	o.Took = time.Since(began)
	if err != nil {
		return o, err
	}
	o.RSS = residentSet() - rss
	runtime.ReadMemStats(&after)
	o.Heap = int64(after.HeapAlloc) - int64(before.HeapAlloc)
	o.Found = d.Len()
	return o, d.Close()
}

// residentSet returns the process's memory in bytes; 0: not known.
func residentSet() int64 {
	b, err := os.ReadFile("/proc/self/statm") // proc_pid_statm(5): size and resident, in pages
	if err != nil {
		return 0
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}

// BenchmarkOpen opens a box with 100,000 messages in a new process each time.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	fill(b, dir, queued)
	for b.Loop() {
		var took []time.Duration
		var rss, heap []int64
		for range 15 {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), openEnv+"="+dir)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				b.Fatal(err)
			}
			var o opening
			if err := json.Unmarshal(out, &o); err != nil || o.Found != queued {
				b.Fatal(err, string(out))
			}
			took, rss, heap = append(took, o.Took), append(rss, o.RSS), append(heap, o.Heap)
		}
		slices.Sort(took)
		slices.Sort(rss)
		slices.Sort(heap)
		n := len(took)
		b.ReportMetric(float64(took[n/2])/1e6, "ms")
		b.ReportMetric(float64(took[0])/1e6, "low-ms")
		b.ReportMetric(float64(took[n-1])/1e6, "high-ms")
		b.ReportMetric(float64(rss[n/2])/1e6, "RSS-MB")
		b.ReportMetric(float64(rss[n-1])/1e6, "high-RSS-MB")
		b.ReportMetric(float64(heap[n/2])/1e6, "heap-MB")
	}
	b.ReportMetric(0, "ns/op")
}

func fill(b *testing.B, dir string, n int) {
	b.Helper()
	d, err := outbox.Open(dir, outbox.DiskOptions{})
	if err != nil {
		b.Fatal(err)
	}
	rs := make([]outbox.Record, 100)
	for i := range rs {
		rs[i] = outbox.Record{Topic: "bench/topic", Payload: make([]byte, Payload), QoS: 1}
	}
	for done := 0; done < n; {
		a, err := d.AppendAll(rs[:min(len(rs), n-done)])
		if err != nil {
			b.Fatal(err)
		}
		done += a.N
	}
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPreparation measures what the first use of a segment costs more than later
// ones: it is filled with zeros once, in the background.
func BenchmarkPreparation(b *testing.B) {
	device := DeviceOf(b.TempDir())
	for b.Loop() {
		var written []float64
		var took []time.Duration
		for range 5 {
			dir := b.TempDir()
			d, err := outbox.Open(dir, outbox.DiskOptions{Sync: outbox.SyncAlways})
			if err != nil {
				b.Fatal(err)
			}
			before, began := device.Written(), time.Now()
			if _, err := d.Append(outbox.Record{Topic: "bench/topic", Payload: make([]byte, Payload)}); err != nil {
				b.Fatal(err)
			}
			for !prepared(b, dir) {
				time.Sleep(time.Millisecond)
			}
			took = append(took, time.Since(began))
			written = append(written, float64(device.Written()-before))
			if err := d.Close(); err != nil {
				b.Fatal(err)
			}
		}
		slices.Sort(written)
		b.ReportMetric(written[len(written)/2]/fileSize, "devB/byte")
		// A message takes its payload, a head of 24 bytes and padding to 8.
		b.ReportMetric(written[len(written)/2]/(fileSize/(Payload+24)), "devB/msg")
		b.ReportMetric(float64(median(took))/1e6, "ms")
	}
	b.ReportMetric(0, "ns/op")
}

// prepared reports whether there is a segment that is not in use yet.
func prepared(b *testing.B, dir string) bool {
	names, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	return slices.ContainsFunc(names, func(n os.DirEntry) bool { return strings.HasSuffix(filepath.Base(n.Name()), ".spare") })
}
