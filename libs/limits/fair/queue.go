package fair

import (
	"context"
	"errors"
	"sync"
)

// ErrFull is returned when the queue is full and the caller already has its share of it.
var ErrFull = errors.New("fair: the queue is full")

// Queue hands out a fixed number of slots. It is safe for concurrent use.
type Queue struct {
	mu      sync.Mutex
	free    int // slots
	room    int // tickets that may wait
	waiting *node
}

// New returns a queue with the given number of slots and room for waiting tickets.
func New(slots, room int) *Queue {
	return &Queue{
		free:    slots,
		room:    room,
		waiting: &node{},
	}
}

// Ticket is one request for a slot.
type Ticket struct {
	queue  *Queue
	path   []string
	called chan struct{} // closed when the ticket has a slot or has been turned away

	state state // guarded by queue.mu
}

type state int

const (
	waits state = iota
	holds
	refused
	over
)

// Enter requests a slot for the caller at path, whose elements name the nodes from the root of
// the tree down. It does not block. The caller must call Leave on every ticket.
func (q *Queue) Enter(path []string) *Ticket {
	q.mu.Lock()
	defer q.mu.Unlock()

	t := &Ticket{
		queue:  q,
		path:   path,
		called: make(chan struct{}),
	}
	if q.free > 0 {
		q.free--
		t.call(holds)
		return t
	}

	q.waiting.add(t, path)

	if q.waiting.size > q.room {
		loser := q.waiting.fattest(path)
		q.waiting.remove(loser, loser.path)
		loser.call(refused)
	}

	return t
}

// Called returns a channel that is closed once the ticket has a slot or has been turned away.
func (t *Ticket) Called() <-chan struct{} { return t.called }

// Wait blocks until the ticket has a slot and returns nil, until it is turned away and returns
// ErrFull, or until ctx ends and returns its error.
func (t *Ticket) Wait(ctx context.Context) error {
	select {
	case <-t.called:
	case <-ctx.Done():
		return ctx.Err()
	}

	if !t.Holds() {
		return ErrFull
	}

	return nil
}

// Holds reports whether the ticket has a slot.
func (t *Ticket) Holds() bool {
	t.queue.mu.Lock()
	defer t.queue.mu.Unlock()

	return t.state == holds
}

// Leave passes the slot, or the place in the queue, to the next caller. Only the first call has
// an effect.
func (t *Ticket) Leave() {
	q := t.queue
	q.mu.Lock()
	defer q.mu.Unlock()

	switch t.state {
	case waits:
		q.waiting.remove(t, t.path)
	case holds:
		if next := q.waiting.next(); next != nil {
			next.call(holds)
		} else {
			q.free++
		}
	}

	t.state = over
}

func (t *Ticket) call(s state) {
	t.state = s
	close(t.called)
}
