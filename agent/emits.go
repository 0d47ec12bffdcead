package agent

import "sync/atomic"

// emits hands what happens to one receiver, while there is one. The zero value is ready to use, and
// without a receiver it costs one load from memory.
type emits[T any] struct{ to atomic.Pointer[func(T)] }

// emit hands v on. The receiver returns at once.
func (e *emits[T]) emit(v T) {
	if to := e.to.Load(); to != nil {
		(*to)(v)
	}
}

// follow makes to the receiver, until stop. stop waits for no call of it.
func (e *emits[T]) follow(to func(T)) (stop func()) {
	e.to.Store(&to)
	return func() { e.to.CompareAndSwap(&to, nil) }
}

// following is the Follow of an events.Source.
func following[T any](e *emits[T]) func(add func(any)) (stop func()) {
	return func(add func(any)) func() { return e.follow(func(v T) { add(v) }) }
}
