package qemu

import (
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"
)

// qmp speaks the QEMU Machine Protocol (docs/interop/qmp-spec in QEMU), one
// connection a command.
type qmp struct {
	socket string
	mu     sync.Mutex
}

const qmpPatience = 30 * time.Second

type qmpMessage struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Desc string `json:"desc"`
	} `json:"error"`
}

func (q *qmp) run(command string, arguments any) (json.RawMessage, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c, err := net.Dial("unix", q.socket)
	if err != nil {
		return nil, fmt.Errorf("QMP: %w", err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(qmpPatience)); err != nil {
		return nil, err
	}
	in, out := json.NewDecoder(c), json.NewEncoder(c)
	var greeting json.RawMessage
	if err := in.Decode(&greeting); err != nil {
		return nil, fmt.Errorf("QMP: %w", err)
	}
	var result json.RawMessage
	for _, request := range []map[string]any{{"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}} {
		if request["arguments"] == nil {
			delete(request, "arguments")
		}
		if err := out.Encode(request); err != nil {
			return nil, fmt.Errorf("QMP %s: %w", command, err)
		}
		for {
			var m qmpMessage
			if err := in.Decode(&m); err != nil {
				if command == "quit" { // QEMU is faster than its reply
					return nil, nil
				}
				return nil, fmt.Errorf("QMP %s: %w", command, err)
			}
			if m.Error != nil {
				return nil, fmt.Errorf("QMP %s: %s", command, m.Error.Desc)
			}
			if m.Return != nil {
				result = m.Return
				break
			} // else an event
		}
	}
	return result, nil
}
