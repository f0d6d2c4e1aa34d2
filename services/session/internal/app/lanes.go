package app

import (
	"sync"

	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// lanes tracks the slots of the delivery attempts that are underway in this process.
type lanes struct {
	underway sync.WaitGroup
	left     chan struct{} // signaled when an attempt has ended

	mu     sync.Mutex
	busy   map[string]int // attempts by application
	total  int
	ailing map[string]bool // applications whose last attempt failed
	sick   int             // attempts underway at these
}

func newLanes() *lanes {
	return &lanes{
		left:   make(chan struct{}, 1),
		busy:   map[string]int{},
		ailing: map[string]bool{},
	}
}

// free returns how many slots are free and which applications must not get any of them:
// applications that already have attempts underway, and failing ones once those together
// hold their share of the slots.
func (l *lanes) free() (slots int, except []string) {
	l.mu.Lock()
	defer l.mu.Unlock()

	for clientID := range l.busy {
		except = append(except, clientID)
	}

	for clientID := range l.ailing {
		if l.sick >= ailing && l.busy[clientID] == 0 {
			except = append(except, clientID)
		}
	}

	return parallel - l.total, except
}

func (l *lanes) enter(clientID string) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.busy[clientID]++
	l.total++
	if l.ailing[clientID] {
		l.sick++
	}
}

func (l *lanes) leave(clientID string, outcome ports.LogoutOutcome) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.total--

	if l.ailing[clientID] {
		l.sick--
	}

	if l.busy[clientID]--; l.busy[clientID] == 0 {
		delete(l.busy, clientID)
	}

	l.judge(clientID, outcome)

	select {
	case l.left <- struct{}{}:
	default:
	}
}

// judge remembers whether an application answers. Its attempts that are still underway are
// reclassified along with it.
func (l *lanes) judge(clientID string, outcome ports.LogoutOutcome) {
	fails := outcome != ports.LogoutDelivered && outcome != ports.LogoutObsolete
	switch {
	case fails && !l.ailing[clientID]:
		l.ailing[clientID] = true
		l.sick += l.busy[clientID]
	case !fails && l.ailing[clientID]:
		delete(l.ailing, clientID)
		l.sick -= l.busy[clientID]
	}
}
