// Package agent turns a configuration into running things: it opens the
// connections, the embedded broker and the web server, wires each thing to its
// part and its link, supervises them, and runs the flows between them.
//
// A part that fails never stops the others. Each is opened anew after a pause
// that doubles from one second to a minute, and its state is shown by /healthz.
package agent
