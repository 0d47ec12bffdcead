// Package eval turns the tree of a script into closures, and runs them. Names are slots of
// frames and of the module, found before anything runs. A compiled script never changes:
// several machines may run it at a time, each with variables of its own.
package eval
