package vaulttransit

import (
	"container/list"
	"context"
	"crypto"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// item is a signature that somebody waits for.
type item struct {
	input  []byte           // what Vault signs: the digest, for Ed25519 the whole signing input
	public crypto.PublicKey // nil: not known here
	caller trace.SpanContext
	since  time.Time
	done   chan struct{} // closed when signature or err is there

	signature []byte
	err       error
}

// finish answers the caller, who may be gone.
func (i *item) finish() { close(i.done) }

// queue holds what waits for a family of algorithms, for they cost the server
// about the same. A slot is one request in flight. It takes what waits for one
// version of a key, at most batch of it, and the versions take turns.
type queue struct {
	batch, slots, bound int
	send                func(version, []*item) // finishes each

	mu      sync.Mutex
	busy    int // slots
	waiting int // items
	lanes   map[version]*list.List
	turns   []version // those with something waiting, in order
	closed  bool
	idle    sync.WaitGroup // the slots in use
}

func newQueue(l Limits, bound int, send func(version, []*item)) *queue {
	return &queue{
		batch: l.Batch,
		slots: l.Slots,
		bound: bound,
		send:  send,
		lanes: map[version]*list.List{},
	}
}

// enter takes a slot, which the caller uses itself (and then leaves), or else puts
// the item in line.
func (q *queue) enter(v version, i *item) (place *list.Element, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()

	switch {
	case q.closed:
		return nil, &Error{Reason: Closed}
	case q.busy < q.slots:
		q.busy++
		q.idle.Add(1)
		return nil, nil
	case q.waiting >= q.bound:
		return nil, &Error{Reason: QueueFull}
	}

	lane := q.lanes[v]
	if lane == nil {
		lane = list.New()
		q.lanes[v] = lane
		q.turns = append(q.turns, v)
	}

	q.waiting++
	return lane.PushBack(i), nil
}

// withdraw takes an item out of the line because its caller has gone. One that is
// on its way already stays there.
func (q *queue) withdraw(v version, place *list.Element) {
	q.mu.Lock()
	defer q.mu.Unlock()
	// A lane is dropped when it is empty, and Remove does nothing with the element
	// of another list.
	if lane := q.lanes[v]; lane != nil {
		before := lane.Len()
		lane.Remove(place)
		q.waiting -= before - lane.Len()
	}
}

// leave gives a slot to what has gathered, if anything has. It does not wait for it.
func (q *queue) leave() {
	if v, batch := q.next(); batch != nil {
		go q.drain(v, batch)
	}
}

// drain uses a slot until nothing waits.
func (q *queue) drain(v version, batch []*item) {
	for batch != nil {
		q.send(v, batch)
		v, batch = q.next()
	}
}

// next takes the batch whose turn it is; nil, and the slot is free, when nothing
// waits.
func (q *queue) next() (version, []*item) {
	q.mu.Lock()
	defer q.mu.Unlock()

	for len(q.turns) > 0 {
		v := q.turns[0]
		q.turns = q.turns[1:]
		lane := q.lanes[v]
		batch := make([]*item, 0, min(q.batch, lane.Len()))
		for lane.Len() > 0 && len(batch) < q.batch {
			batch = append(batch,
				lane.Remove(lane.Front()).(*item)) //nolint:forcetypeassert // the list holds nothing else
		}

		q.waiting -= len(batch)

		if lane.Len() > 0 {
			q.turns = append(q.turns, v)
		} else {
			delete(q.lanes, v)
		}

		if len(batch) > 0 { // else all its callers had gone
			return v, batch
		}
	}

	q.busy--
	q.idle.Done()
	return version{}, nil
}

// depth is how much waits for each version.
func (q *queue) depth() map[version]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	depth := make(map[version]int, len(q.lanes))
	for v, lane := range q.lanes {
		depth[v] = lane.Len()
	}
	return depth
}

// close refuses newcomers and waits until all slots are free.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.idle.Wait()
}

// wait is until the item is done or its caller goes away.
func (q *queue) wait(ctx context.Context, v version, i *item, place *list.Element) ([]byte, error) {
	select {
	case <-i.done:
		return i.signature, i.err
	case <-ctx.Done():
		q.withdraw(v, place)
		return nil, ctx.Err()
	}
}
