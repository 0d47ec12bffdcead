package defender

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"pithings/api"
	"pithings/awsiot/cloud"
	"pithings/awsiot/internal/cbor"
	"pithings/conf"
	"pithings/device"
	"pithings/mqttlink"
	"pithings/mqttlink/linktest"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

const heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

// files is /proc/net of a Pi as Linux 6.12 shows it.
func files() fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	return fstest.MapFS{
		"proc/net/tcp": file(heading +
			"   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1066 1 00000000330d20a3 100 0 0 10 0\n" +
			"   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000   998        0 1067 1 0000000000000000 100 0 0 10 0\n" +
			"   2: 2801A8C0:9C40 0A01A8C0:22B3 01 00000000:00000000 02:000A7D3C 00000000   998        0 2077 2 0000000000000000 20 4 30 10 -1\n" +
			"   3: 0100007F:AD6B 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 2078 1 0000000000000000 20 4 30 10 -1\n" +
			"   4: 2801A8C0:9C42 0A01A8C0:22B3 06 00000000:00000000 03:00001064 00000000     0        0 0 3 0000000000000000\n"),
		"proc/net/tcp6": file(heading +
			"   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1068 1 0000000000000000 100 0 0 10 0\n" +
			"   1: 000000FD000000000000000002000000:0050 0000000000000000FFFF00000A01A8C0:C350 01 00000000:00000000 00:00000000 00000000     0        0 1069 1 0000000000000000 100 0 0 10 0\n" +
			"   2: 000000FD000000000000000002000000:0050 000000FD000000000000000003000000:C351 01 00000000:00000000 00:00000000 00000000     0        0 1070 1 0000000000000000 100 0 0 10 0\n"),
		"proc/net/udp": file(heading +
			"   10: 00000000:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000   104        0 900 2 0000000000000000 0\n" +
			"   11: 2801A8C0:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000   104        0 901 2 0000000000000000 0\n" +
			"   12: 2801A8C0:8001 0A01A8C0:0035 01 00000000:00000000 00:00000000 00000000   104        0 902 2 0000000000000000 0\n"),
		"proc/net/dev": file(dev(1000, 10, 2000, 20)),
	}
}

// locked are files that change while they are read.
type locked struct {
	fs.FS
	changing *sync.Mutex
}

func (l locked) Open(name string) (fs.File, error) {
	l.changing.Lock()
	defer l.changing.Unlock()
	return l.FS.Open(name)
}

// dev is /proc/net/dev.
func dev(bytesIn, packetsIn, bytesOut, packetsOut int) string {
	return fmt.Sprintf(`Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 9396446535 4406350    0    0    0     0          0         0 9396446535 4406350    0    0    0     0       0          0
  eth0: %d %d    0    0    0     0          0         0  %d    %d    0    0    0     0       0          0
 wlan0:       5       1    0    0    0     0          0         0        7       2    0    0    0     0       0          0
`, bytesIn, packetsIn, bytesOut, packetsOut)
}

func addresses() (map[netip.Addr]string, error) {
	return map[netip.Addr]string{netip.MustParseAddr("192.168.1.40"): "eth0", netip.MustParseAddr("127.0.0.1"): "lo", netip.MustParseAddr("fd00::2"): "eth0"}, nil
}

// bench is a service on a link in memory.
type bench struct {
	t     *testing.T
	o     Options
	files fstest.MapFS
	link  *linktest.Client
	log   bytes.Buffer
	s     *Service
	stop  func()
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, files: files()}
	var settings Settings
	conf.Fill(&settings)
	settings.Enabled = true
	settings.Custom = []Custom{{"cpu", "pi", "temperature"}, {"none", "pi", "humidity"}, {"broken", "pi", "pressure"}}
	b.o = Options{Settings: settings, Thing: "pi", Dir: t.TempDir(), Root: b.files, Interfaces: addresses,
		Value: func(thing, quantity string) (float64, device.Quantity, bool) {
			switch thing + "/" + quantity {
			case "pi/temperature":
				return 48.312, device.Quantity{Precision: 1}, true
			case "pi/pressure":
				return -1, device.Quantity{Min: 300, Max: 1100}, true
			}
			return 0, device.Quantity{}, false
		}}
	return b
}

func (b *bench) run() {
	b.link = linktest.New()
	b.o.Link, b.o.Log = b.link, slog.New(slog.NewTextHandler(&b.log, nil))
	b.s = New(b.o)
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.s.Run(ctx) }()
	b.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
		b.link.Close()
	}
}

// reports are those that were published, decoded.
func (b *bench) reports() (all []map[string]any) {
	b.t.Helper()
	for _, m := range b.link.Published("$aws/things/pi/defender/metrics/+") {
		var v map[string]any
		if err := json.Unmarshal(m.Payload, &v); err != nil || !m.Unqueued || m.QoS != 0 || m.Retain {
			b.t.Errorf("%+v: %v", m, err)
		}
		all = append(all, v)
	}
	return all
}

func at(v map[string]any, path ...string) any {
	for _, key := range path[:len(path)-1] {
		v, _ = v[key].(map[string]any)
	}
	return v[path[len(path)-1]]
}

// What is reported, in all forms: go test ./awsiot/defender -update writes them anew.
func TestGolden(t *testing.T) {
	b := newBench(t)
	s := New(b.o)
	before, err := readTraffic(b.files)
	if err != nil {
		t.Fatal(err)
	}
	b.files["proc/net/dev"].Data = []byte(dev(1500, 17, 2001, 25))
	r, _, err := s.sample(before)
	if err != nil {
		t.Fatal(err)
	}
	r.id = 1796000000
	forms := map[string][]byte{}
	for _, format := range []string{JSON, CBOR} {
		for _, names := range []string{Long, Short} {
			got, err := r.encode(format, names)
			if err != nil {
				t.Fatal(err)
			}
			forms[format+" "+names] = got
			text := append(bytes.Clone(got), '\n')
			if format == CBOR {
				text = []byte(hex.Dump(got))
			}
			file := filepath.Join("testdata", format+"-"+names+".golden")
			if *update {
				if err := os.WriteFile(file, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(file); err != nil || !bytes.Equal(text, want) {
				t.Errorf("%s: %v\n got %s\nwant %s", file, err, text, want)
			}
		}
	}
	for _, names := range []string{Long, Short} { // both formats say the same
		v, err := cbor.Decode(forms["cbor "+names])
		if err != nil {
			t.Fatal(err)
		}
		if text, err := json.Marshal(v); err != nil || !bytes.Equal(text, forms["json "+names]) {
			t.Errorf("cbor %s: %v\n%s", names, err, text)
		}
	}
}

// A report has the form of the example in AWS's documentation: the same keys in the same
// places, with values of the same types.
func TestFormOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("testdata/example.json")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/json-long.golden")
	if err != nil {
		t.Fatal(err)
	}
	want, got := formOf(t, text), formOf(t, golden)
	for path, kind := range got {
		if want[path] != kind {
			t.Errorf("%s is %s; in the documentation it is %q", path, kind, want[path])
		}
	}
	for path := range want {
		if got[path] == "" && !strings.Contains(path, "_list") {
			t.Errorf("%s of the documentation is not reported", path)
		}
	}
}

// formOf has the types of all that a document holds, by its path.
func formOf(t *testing.T, text []byte) map[string]string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	form := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, inner := range v {
				if path == "/custom_metrics" {
					key = "*"
				}
				walk(path+"/"+key, inner)
			}
		case []any:
			for _, inner := range v {
				walk(path+"[]", inner)
			}
		default:
			form[path] = fmt.Sprintf("%T", v)
		}
	}
	walk("", v)
	return form
}

// The first report comes after an interval; each counts from the last that was sent.
func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var changing sync.Mutex
		b.o.Root = locked{b.files, &changing}
		b.run()
		every := b.o.Settings.Interval.Duration + margin
		time.Sleep(every - time.Second)
		synctest.Wait()
		if n := len(b.reports()); n != 0 {
			t.Fatalf("%d reports before an interval is over", n)
		}
		set := func(bytesIn int) {
			changing.Lock()
			defer changing.Unlock()
			b.files["proc/net/dev"] = &fstest.MapFile{Data: []byte(dev(bytesIn, 10, 2000, 20))}
		}
		set(1100)
		time.Sleep(every)
		synctest.Wait()
		b.link.FailPublish(mqttlink.ErrUnqueued)
		set(1200)
		time.Sleep(every)
		synctest.Wait()
		b.link.FailPublish(nil)
		set(1300)
		time.Sleep(every)
		set(50) // the interface was made anew
		time.Sleep(every)
		synctest.Wait()
		var in []any
		last := 0.0
		for _, r := range b.reports() {
			in = append(in, at(r, "metrics", "network_stats", "bytes_in"))
			id := at(r, "header", "report_id").(float64)
			if id <= last {
				t.Errorf("report %v follows %v", id, last)
			}
			last = id
		}
		if fmt.Sprint(in) != "[100 200 50]" {
			t.Errorf("bytes in: %v", in)
		}
		b.stop()
		if !strings.Contains(b.log.String(), "no Defender report sent") {
			t.Errorf("log: %s", b.log.String())
		}
	})
}

// Ids increase over restarts, also when the clock is set back.
func TestIDsOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		if err := os.WriteFile(filepath.Join(b.o.Dir, idsFile), []byte("4000000000\n"), 0o600); err != nil { // from a later time
			t.Fatal(err)
		}
		var got []string
		for range 3 {
			b.run()
			time.Sleep(b.o.Settings.Interval.Duration + margin)
			synctest.Wait()
			for _, r := range b.reports() {
				got = append(got, strconv.FormatFloat(at(r, "header", "report_id").(float64), 'f', 0, 64))
			}
			b.stop()
		}
		if !slices.Equal(got, []string{"4000000001", "4000000002", "4000000003"}) {
			t.Errorf("%q", got)
		}
		for _, damaged := range []string{"", "x", "-5", "99999999999999999999", strings.Repeat("9", 17)} {
			if err := os.WriteFile(filepath.Join(b.o.Dir, idsFile), []byte(damaged), 0o600); err != nil {
				t.Fatal(err)
			}
			i := ids{dir: b.o.Dir}
			if err := i.open(); err != nil {
				t.Fatal(err)
			}
			if id, err := i.next(); err != nil || id != time.Now().Unix() {
				t.Errorf("%q: %d, %v", damaged, id, err)
			}
		}
	})
}

// The cloud side takes every form of the reports, and its refusals are noted.
func TestWithTheCloud(t *testing.T) {
	for _, format := range []string{JSON, CBOR} {
		for _, names := range []string{Long, Short} {
			t.Run(format+" "+names, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t)
					b.o.Settings.Format, b.o.Settings.Names = format, names
					b.run()
					c, err := cloud.New(cloud.Options{Client: b.link, Log: slog.New(slog.DiscardHandler)})
					if err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithCancel(t.Context())
					ended := make(chan error, 1)
					go func() { ended <- c.Run(ctx) }()
					time.Sleep(3 * (b.o.Settings.Interval.Duration + margin))
					synctest.Wait()
					sent := b.link.Published(Topic("pi", format))
					if err := b.link.Inject(sent[len(sent)-1]); err != nil { // its id is not new
						t.Fatal(err)
					}
					synctest.Wait()
					time.Sleep(time.Second)
					synctest.Wait()
					health := map[string]any{}
					b.s.Health(func(key string, value any) { health = value.(map[string]any) })
					if health["sent"] != 3 || health["accepted"] != 3 || health["rejected"] != 1 || !strings.Contains(fmt.Sprint(health["reason"]), "InvalidPayload: report_id") {
						t.Errorf("%v", health)
					}
					var m api.Metrics
					b.s.Collect(&m)
					if !strings.Contains(m.String(), `pithings_defender_reports_total{outcome="rejected"} 1`) {
						t.Errorf("metrics:\n%s", m.String())
					}
					cancel()
					if err := <-ended; err != nil {
						t.Error(err)
					}
					b.stop()
					if !strings.Contains(b.log.String(), "Defender report refused by AWS") {
						t.Errorf("log: %s", b.log.String())
					}
				})
			})
		}
	}
}

// A list has at most 50 entries, and total says how many there are.
func TestManySockets(t *testing.T) {
	b := newBench(t)
	var lines strings.Builder
	lines.WriteString(heading)
	for i := range 70 {
		fmt.Fprintf(&lines, " %d: 00000000:%04X 00000000:0000 0A 0\n %d: 0100007F:1000 0100007F:%04X 01 0\n %d: 2801A8C0:1000 0A01A8C0:%04X 01 0\n", i, 100+i, i, 200+i, i, 300+i)
	}
	b.files["proc/net/tcp"] = &fstest.MapFile{Data: []byte(lines.String())}
	delete(b.files, "proc/net/tcp6")
	r, _, err := New(b.o).sample(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := r.values()
	ports, of := at(v, "metrics", "listening_tcp_ports").(map[string]any), at(v, "metrics", "tcp_connections", "established_connections").(map[string]any)
	list := of["connections"].([]any)
	if len(ports["ports"].([]any)) != 50 || ports["total"] != json.Number("70") || len(list) != 50 || of["total"] != json.Number("140") {
		t.Errorf("%d of %v ports, %d of %v connections", len(ports["ports"].([]any)), ports["total"], len(list), of["total"])
	}
	for _, c := range list { // those with other hosts come first
		if c.(map[string]any)["local_interface"] != "eth0" {
			t.Errorf("%v", c)
		}
	}
}

// What cannot be read is an error with the file's name, and switched off it reads nothing.
func TestErrors(t *testing.T) {
	for name, text := range map[string]string{
		"proc/net/tcp":  heading + " 0: 0100007F:1F90 00000000 0A\n",
		"proc/net/udp":  heading + " 0: 01:1F90 00000000:0000 07\n",
		"proc/net/tcp6": heading + strings.Repeat("x", maxLine+1),
		"proc/net/dev":  "\n\n eth0: 1 2 3\n",
	} {
		b := newBench(t)
		b.files[name] = &fstest.MapFile{Data: []byte(text)}
		if _, _, err := New(b.o).sample(nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := newBench(t)
	delete(b.files, "proc/net/dev")
	b.o.Link, b.o.Log = linktest.New(), slog.New(slog.DiscardHandler)
	if err := New(b.o).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "this system does not show its network") {
		t.Errorf("%v", err)
	}
	b.o.Settings.Enabled, b.o.Link = false, nil
	if err := New(b.o).Run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	s := Settings{Custom: []Custom{{"cpu", "pi", "temperature"}, {"cpu", "pi", "temperature"}, {"a b", "pi", "x"}, {}}}
	s.Custom = append(s.Custom, make([]Custom, maxCustom)...)
	for i := range s.Custom[4:] {
		s.Custom[4+i] = Custom{fmt.Sprint(i), "pi", "x"}
	}
	var bad []string
	s.Check(func(path, format string, args ...any) { bad = append(bad, path) })
	if got := strings.Join(bad, " "); got != "custom custom[1].metric custom[2].metric custom[3] custom[3] custom[3]" {
		t.Error(got)
	}
}

// FuzzSocket, FuzzTraffic and FuzzReply: no text makes them fail.
func FuzzSocket(f *testing.F) {
	f.Add(" 0: 0100007F:1F90 00000000:0000 0A 00000000:00000000")
	f.Fuzz(func(t *testing.T, line string) {
		if s, err := parseSocket(line); err == nil && (!s.local.Addr().IsValid() || !s.remote.Addr().IsValid()) {
			t.Errorf("%q: %+v", line, s)
		}
	})
}

func FuzzTraffic(f *testing.F) {
	f.Add(dev(1, 2, 3, 4))
	f.Fuzz(func(t *testing.T, text string) {
		if all, err := parseTraffic(text); err == nil {
			if sum := since(all, all); sum != (counters{}) {
				t.Errorf("%+v", sum)
			}
		}
	})
}

func FuzzReply(f *testing.F) {
	f.Add("$aws/things/pi/defender/metrics/json/rejected", []byte(`{"reportId":1,"statusDetails":{"ErrorCode":"Throttled"}}`))
	f.Add("$aws/things/pi/defender/metrics/cbor/accepted", []byte{0xa0})
	f.Fuzz(func(t *testing.T, topic string, payload []byte) {
		if r, err := parseReply(topic, payload); err == nil && (len(r.reason) > 700 || r.accepted && r.reason != "") {
			t.Errorf("%+v", r)
		}
	})
}

// BenchmarkSample is one report of a Pi with 200 sockets.
func BenchmarkSample(b *testing.B) {
	all := files()
	tcp := string(all["proc/net/tcp"].Data)
	all["proc/net/tcp"] = &fstest.MapFile{Data: []byte(tcp + strings.Repeat(strings.SplitAfter(tcp, "\n")[3], 200))}
	s := New(Options{Root: all, Interfaces: addresses, Log: slog.New(slog.DiscardHandler)})
	before, err := readTraffic(all)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, _, err := s.sample(before)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.encode(CBOR, Long); err != nil {
			b.Fatal(err)
		}
	}
}

// The files of the kernel that this test runs on are read, too.
func TestThisMachine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc/net here")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := New(Options{Log: slog.New(slog.DiscardHandler)})
	r, _, err := s.sample(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := (port{"lo", uint16(l.Addr().(*net.TCPAddr).Port)}); !slices.Contains(r.network.tcp, want) {
		t.Errorf("%v is not among %v", want, r.network.tcp)
	}
}
