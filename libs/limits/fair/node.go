package fair

import "slices"

// node is a caller, or a group of callers, with tickets in the queue. Only nodes with waiting
// tickets exist.
type node struct {
	name     string
	size     int       // waiting tickets, here and below
	own      []*Ticket // the node's own tickets, oldest first
	children []*node   // the one whose turn is next comes first
	ownTurn  bool      // whether the node's own tickets had the last turn, if it also has children
}

// add appends a ticket to the node at path.
func (n *node) add(t *Ticket, path []string) {
	n.size++

	if len(path) == 0 {
		n.own = append(n.own, t)
		return
	}

	child := n.child(path[0])
	if child == nil {
		child = &node{name: path[0]}
		n.children = append(n.children, child)
	}

	child.add(t, path[1:])
}

// remove takes a ticket out of the node at path, which must have it.
func (n *node) remove(t *Ticket, path []string) {
	n.size--

	if len(path) == 0 {
		n.own = slices.DeleteFunc(n.own, func(other *Ticket) bool { return other == t })
		return
	}

	child := n.child(path[0])
	child.remove(t, path[1:])

	if child.size == 0 {
		n.children = slices.DeleteFunc(n.children, func(other *node) bool { return other == child })
	}
}

// next removes and returns the ticket whose turn it is, or nil if none waits.
func (n *node) next() *Ticket {
	if n.size == 0 {
		return nil
	}

	n.size--

	if len(n.own) > 0 && (len(n.children) == 0 || !n.ownTurn) {
		t := n.own[0]
		n.own, n.ownTurn = n.own[1:], true
		return t
	}

	n.ownTurn = false

	child := n.children[0]
	t := child.next()
	n.children = n.children[1:]
	if child.size > 0 {
		n.children = append(n.children, child)
	}

	return t
}

// fattest returns the newest ticket of the caller with the most tickets, compared at every
// level of the tree. In a tie it prefers the caller at path, which came last, and otherwise the
// one whose turn is furthest away.
func (n *node) fattest(path []string) *Ticket {
	most, below := len(n.own), (*node)(nil)
	for _, child := range n.children {
		if child.size >= most {
			most, below = child.size, child
		}
	}

	var rest []string
	if len(path) > 0 {
		if own := n.child(path[0]); own != nil && own.size >= most {
			below, rest = own, path[1:]
		}
	}

	if below == nil {
		return n.own[len(n.own)-1]
	}

	return below.fattest(rest)
}

func (n *node) child(name string) *node {
	i := slices.IndexFunc(n.children, func(child *node) bool { return child.name == name })
	if i < 0 {
		return nil
	}

	return n.children[i]
}
