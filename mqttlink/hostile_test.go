package mqttlink

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"

	"pithings/mqttlink/dial"
)

// TestUpgradeWithoutEnd: a ws:// endpoint answers with a status line or a header that does
// not end (attack A8: 3.2 GB in 10 s).
func TestUpgradeWithoutEnd(t *testing.T) {
	for name, begin := range map[string]string{
		"status line": "HTTP/1.1 200 ",
		"header":      "HTTP/1.1 101 Switching Protocols\r\nX: ",
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int64
			o := options("127.0.0.1:1")
			o.Endpoint = "ws://127.0.0.1:1"
			o.Dial = func(context.Context, string, string) (net.Conn, error) {
				here, there := net.Pipe()
				go func() {
					defer there.Close()
					if _, err := http.ReadRequest(bufio.NewReader(there)); err != nil {
						return
					}
					_, _ = io.WriteString(there, begin)
					for junk := bytes.Repeat([]byte("x"), 4096); ; {
						n, err := there.Write(junk)
						if sent.Add(int64(n)); err != nil {
							return
						}
					}
				}()
				return here, nil
			}
			l, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = connect(t.Context(), l.parts)
			if kindOf(err) != NotMQTT || !strings.Contains(err.Error(), "without end") {
				t.Errorf("error %v", err)
			}
			if n := sent.Load(); n > 2*64<<10 /* transport.maxUpgrade */ {
				t.Errorf("%d bytes were read", n)
			}
		})
	}
}

// TestTextFramesAreNoMQTT: MQTT 3.1.1 section 6, [MQTT-6.0.0-1] (attack A11).
func TestTextFramesAreNoMQTT(t *testing.T) {
	closed := make(chan error, 1)
	up := websocket.Upgrader{Subprotocols: []string{"mqtt"}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		if _, _, err = ws.ReadMessage(); err == nil { // CONNECT
			_ = ws.WriteMessage(websocket.TextMessage, []byte("\x20\x02\x00\x00"))
			_, _, err = ws.ReadMessage()
		}
		closed <- err
	}))
	defer srv.Close()
	o := options("127.0.0.1:1")
	o.Endpoint = "ws" + strings.TrimPrefix(srv.URL, "http")
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t.Context(), l.parts); kindOf(err) != NotMQTT || !strings.Contains(err.Error(), "frame of text") {
		t.Errorf("error %v", err)
	}
	if err := <-closed; !websocket.IsCloseError(err, websocket.CloseUnsupportedData) {
		t.Errorf("the broker got %v", err)
	}
}

// TestLocalBroker: a broker at NAME.local is found (GoSungrow#83), and one that is not there
// is reported with what to do.
func TestLocalBroker(t *testing.T) {
	s := &script{}
	_, port, _ := net.SplitHostPort(s.listen(t, nil))
	socket := t.TempDir() + "/avahi"
	a, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	go func() {
		for {
			c, err := a.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(c).ReadString('\n')
			answer := "-15 Timeout reached\n"
			if strings.HasSuffix(line, "IPV4 broker.local\n") {
				answer = "+ 1 0 broker.local 127.0.0.1\n"
			}
			_, _ = io.WriteString(c, answer)
			c.Close()
		}
	}()
	o := options("127.0.0.1:1")
	o.Endpoint, o.Dial = "mqtt://broker.local:"+port, (&dial.Dialer{
		Avahi: socket,
		Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("no name server")
		}},
	}).DialContext
	l := run(t, o)
	publish(t, l, 1, "hello")
	flush(t, l)

	o.Endpoint = "mqtt://nobody.local:" + port
	if l, err = New(o); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t.Context(), l.parts); kindOf(err) != NoSuchHost || !strings.Contains(err.Error(), "no host on this network answers to the name nobody.local (mDNS)") {
		t.Errorf("error %v", err)
	}
}
