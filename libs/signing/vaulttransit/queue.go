package vaulttransit

import (
	"container/list"
	"context"
	"crypto"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// item is a signature that a caller waits for.
type item struct {
	input  []byte           // what Vault signs: the digest, or for Ed25519 the whole signing input
	public crypto.PublicKey // nil: not known here
	caller trace.SpanContext
	since  time.Time
	done   chan struct{} // closed once signature or err is set

	signature []byte
	err       error
}

// finish wakes the caller, which may have left.
func (i *item) finish() { close(i.done) }

// queue holds the items waiting for a family of algorithms, which cost the server about the
// same. A slot is one request in flight. A request takes at most batch of the items waiting for
// one version of a key, and the versions take turns.
type queue struct {
	batch, slots, bound int
	send                func(version, []*item) // finishes each item

	mu      sync.Mutex
	busy    int // slots in use
	waiting int // items waiting
	lanes   map[version]*list.List
	turns   []version // versions with items waiting, in order of turn
	closed  bool
	idle    sync.WaitGroup // slots in use
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

// enter takes a slot, which the caller uses itself and then leaves, or else appends the item to
// its lane.
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

// withdraw removes an item whose caller has gone. An item already being sent isn't affected.
func (q *queue) withdraw(v version, place *list.Element) {
	q.mu.Lock()
	defer q.mu.Unlock()
	// An empty lane is dropped, and Remove does nothing with an element of another list.
	if lane := q.lanes[v]; lane != nil {
		before := lane.Len()
		lane.Remove(place)
		q.waiting -= before - lane.Len()
	}
}

// leave passes a slot on to the waiting items, if there are any. It does not wait for them.
func (q *queue) leave() {
	if v, batch := q.next(); batch != nil {
		go q.drain(v, batch)
	}
}

// drain uses a slot until no items wait.
func (q *queue) drain(v version, batch []*item) {
	for batch != nil {
		q.send(v, batch)
		v, batch = q.next()
	}
}

// next takes the batch whose turn it is. If no items wait, it returns nil and frees the slot.
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

		if len(batch) > 0 { // otherwise all its callers had gone
			return v, batch
		}
	}

	q.busy--
	q.idle.Done()
	return version{}, nil
}

// depth returns how many items wait for each version.
func (q *queue) depth() map[version]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	depth := make(map[version]int, len(q.lanes))
	for v, lane := range q.lanes {
		depth[v] = lane.Len()
	}
	return depth
}

// close refuses new items and waits until all slots are free.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.idle.Wait()
}

// wait waits until the item is done or its caller gives up.
func (q *queue) wait(ctx context.Context, v version, i *item, place *list.Element) ([]byte, error) {
	select {
	case <-i.done:
		return i.signature, i.err
	case <-ctx.Done():
		q.withdraw(v, place)
		return nil, ctx.Err()
	}
}
