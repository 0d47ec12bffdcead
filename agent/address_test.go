package agent

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/flow"
	"pithings/flow/history"
	"pithings/flowhost"
	"pithings/hw/mock"
	"pithings/mqttlink"
)

// The subscribers of an embedded broker that listens on the network got addresses to fetch
// pictures from 127.0.0.1.
func TestPicturesAreAnnouncedWhereOthersReachUs(t *testing.T) {
	const loop = "127.0.0.1"
	for name, tc := range map[string]struct {
		configured string
		listening  string
		toward     string
		own        string
		want       string
		refused    bool
	}{
		"configured":                {"https://hall.example/pi/", loop + ":8080", "192.0.2.7", "", "https://hall.example/pi", false},
		"loopback":                  {"", loop + ":8080", "192.0.2.7", "10.0.0.2", "http://127.0.0.1:8080", false},
		"an address":                {"", "198.51.100.3:80", "192.0.2.7", "10.0.0.2", "http://198.51.100.3:80", false},
		"an IPv6 address":           {"", "[2001:db8::1]:8080", "192.0.2.7", "", "http://[2001:db8::1]:8080", false},
		"toward the broker":         {"", "0.0.0.0:8080", "192.0.2.7", "10.0.0.2", "http://192.0.2.7:8080", false},
		"toward the broker, IPv6":   {"", "[::]:8080", "2001:db8::9", "10.0.0.2", "http://[2001:db8::9]:8080", false},
		"embedded broker":           {"", "0.0.0.0:8080", loop, "192.168.1.5 10.0.0.2", "http://192.168.1.5:8080", false},
		"embedded, all families":    {"", "[::]:8080", "::1", "2001:db8::9 192.168.1.5", "http://192.168.1.5:8080", false},
		"embedded, only IPv6":       {"", "[::]:8080", loop, "::1 fe80::1%eth0 fd00::5 2001:db8::9", "http://[fd00::5]:8080", false},
		"IPv4 only, IPv6 addresses": {"", "0.0.0.0:8080", loop, "2001:db8::9", "http://127.0.0.1:8080", true},
		"no address of a network":   {"", "0.0.0.0:8080", loop, "127.0.0.1 ::1 169.254.7.7 fe80::1 224.0.0.1 0.0.0.0", "http://127.0.0.1:8080", true},
		"no connection ever made":   {"", "0.0.0.0:8080", "", "10.0.0.2", "http://10.0.0.2:8080", false},
		"mapped":                    {"", "[::]:8080", "", "::ffff:10.0.0.2", "http://10.0.0.2:8080", false},
		"nothing at all":            {"", "0.0.0.0:8080", "", "", "http://127.0.0.1:8080", true},
	} {
		t.Run(name, func(t *testing.T) {
			addr, err := net.ResolveTCPAddr("tcp", tc.listening)
			if err != nil {
				t.Fatal(err)
			}
			toward, _ := netip.ParseAddr(tc.toward)
			own := func() (all []netip.Addr) {
				for _, a := range strings.Fields(tc.own) {
					all = append(all, netip.MustParseAddr(a))
				}
				return all
			}
			if got, ok := baseURL(tc.configured, "http", addr, toward, own); got != tc.want || ok == tc.refused {
				t.Errorf("%s, %v, want %s", got, ok, tc.want)
			}
		})
	}
}

// What the kernel says of this machine is usable, whatever it is.
func TestOwnAddrs(t *testing.T) {
	for _, a := range ownAddrs() {
		if !a.IsValid() {
			t.Errorf("%v", a)
		}
	}
}

// With the embedded broker and a web server on all addresses, a picture has an address
// of this machine in its network, by which it can be fetched, also by our own screen. A
// machine without a network is reported.
func TestCapturedPictureCanBeFetchedFromTheNetwork(t *testing.T) {
	l := newLab(t, mock.Options{Screen: xrgb8888}, `
http: {listen: "0.0.0.0:0"}
things:
  - {name: TG_Camera, type: camera, size: 640x480, warm_up_frames: 0}
  - {name: TG_Screen, type: screen, clear_after: 0s}
`)
	l.until("an answer", func() bool { // the camera may not have subscribed yet
		l.publish("TG_Camera/capture", "{}")
		l.mu.Lock()
		defer l.mu.Unlock()
		return slices.ContainsFunc(l.heard, func(m mqttlink.Message) bool { return m.Topic == "TG_Camera/capture/finished" })
	})
	var answer struct{ LastClickedImage string }
	if err := json.Unmarshal([]byte(l.message("TG_Camera/capture/finished")), &answer); err != nil {
		t.Fatal(err)
	}
	host, networked := reachable(ownAddrs(), true)
	if !networked {
		host = netip.MustParseAddr("127.0.0.1")
		l.until("a warning", func() bool { return strings.Contains(l.log.String(), "no address in a network") })
	}
	if want := "http://" + host.String() + ":"; !strings.HasPrefix(answer.LastClickedImage, want) {
		t.Errorf("%s, want %s…", answer.LastClickedImage, want)
	}
	if picture := l.get(answer.LastClickedImage); len(picture) < 1000 {
		t.Errorf("a picture of %d bytes", len(picture))
	}
	l.publish("TG_Screen/display", `{"imageUri":"`+answer.LastClickedImage+`"}`)
	l.until("the picture on the screen", func() bool { return !black(l.mirror()) })
}

// For a configuration that lets others connect to the broker, and not to the web server, a warning says that
// they cannot fetch the pictures.
func TestPicturesOnlyWeCanFetchAreWarnedOf(t *testing.T) {
	const broker = `broker: {listen: "0.0.0.0:0", allow_anonymous: true}`
	for text, warned := range map[string]bool{
		broker + "\nhttp: {listen: '127.0.0.1:0'}":                                       true,
		broker + "\nhttp: {listen: '127.0.0.1:0', base_url: 'http://127.0.0.1:8080'}":    true,
		broker + "\nhttp: {listen: '127.0.0.1:0', base_url: 'http://hall.example:8080'}": false,
		broker + "\nhttp: {listen: '0.0.0.0:0'}":                                         false,
		"broker: {listen: '127.0.0.1:0'}\nhttp: {listen: '127.0.0.1:0'}":                 false,
		"mqtt: {endpoint: 'mqtt://hall.example'}\nhttp: {listen: '127.0.0.1:0'}":         true,
	} {
		cfg, _, err := config.Parse("test", []byte(text+"\nthings: [{name: TG_Camera, type: camera}]\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		warnings, err := Check(cfg, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		got := len(warnings) == 1 && strings.Contains(warnings[0].Message, "only this one can fetch the pictures of thing TG_Camera; set http.listen")
		if got != warned || len(warnings) > 1 {
			t.Errorf("%s: warned %v, want %v: %v", text, got, warned, warnings)
		}
	}
}

// A picture's address on the loopback interface of another host leads the screen to this
// one: to its own web server, which lacks the picture, to a port where nothing listens, or
// to what is no picture of a camera of ours. The flow's step fails, and says what is to be
// set over there.
func TestStepFailsWithALoopbackAddressOfAnotherHost(t *testing.T) {
	things, _, _ := strings.Cut(fourThings, "flows:")
	l := newLab(t, mock.Options{Screen: xrgb8888}, fmt.Sprintf(things, 0))
	flows := flowsOf(l.agent).current()
	const (
		listen  = "is this machine itself: if another one took the picture, set http.listen or http.base_url there to an address that leads to it"
		address = "if another machine has it, its pictures need an address that other machines can reach"
		picture = "/pictures/abcdefghijklmnopqrstuvwxyz.jpg"
	)
	for name, row := range map[string][2]string{
		"SamePort":    {l.agent.WebAddr() + picture, listen},
		"AnotherPort": {"127.0.0.1:1" + picture, listen},
		"NoCamera":    {"127.0.0.1:1/1.jpg", address},
	} {
		deployed, err := flows.Deploy(t.Context(), flowhost.DeployRequest{Options: flowhost.Options{Carrier: "local"}, Files: []flowhost.File{{Name: "hall.yaml", Text: fmt.Sprintf(`name: %s
steps: [{name: Screen, thing: TG_Screen, action: display, input: {imageUri: "http://%s"}}]
`, name, row[0])}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := flows.Start(t.Context(), flowhost.StartRequest{Deployment: deployed[0].Name, Flow: name}); err != nil {
			t.Fatal(err)
		}
		var list []flow.Execution
		l.until("the execution's end", func() bool {
			list, err = flows.Executions(t.Context(), history.Filter{Deployment: deployed[0].Name})
			return err != nil || len(list) == 1 && list[0].Status != flow.Running
		})
		if err != nil {
			t.Fatal(err)
		}
		if x := list[0]; x.Status != flow.Failed || !strings.Contains(x.Reason, row[1]) {
			t.Errorf("%s: %s, %s; want %q", name, x.Status, x.Reason, row[1])
		}
		story, err := flows.Execution(t.Context(), list[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(story.Events, func(e flow.ExecutionEvent) bool {
			return e.Type == flow.StepFailed && e.Payload.Step == "Screen" && strings.Contains(e.Payload.Message, row[1])
		}) {
			t.Errorf("%s: no step fails with %q: %+v", name, row[1], story.Events)
		}
	}
}
