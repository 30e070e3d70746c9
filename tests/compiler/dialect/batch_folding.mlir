// RUN: pref-opt %s --canonicalize | FileCheck %s

// What one key sorts and unsorts is the same again.
// CHECK-LABEL: pref.objective @sorted_and_back
pref.objective @sorted_and_back {
  // CHECK: %[[S:.*]] = pref.sum %policy_chosen over token
  // CHECK-NEXT: %[[L:.*]] = pref.sum %[[S]] over row
  // CHECK-NEXT: pref.yield %[[L]]
  %x = pref.logprob policy(chosen)
  %s = pref.sum %x over token
  %a = pref.sort %s over row
  %b = pref.unsort %a by %s over row
  %c = pref.unsort %b by %s over row
  %d = pref.sort %c by %s over row
  %l = pref.sum %d over row
  pref.yield %l
}

// CHECK-LABEL: pref.objective @sorted_twice
pref.objective @sorted_twice {
  // CHECK: %[[S:.*]] = pref.sum %policy_chosen over token
  // CHECK-NEXT: %[[A:.*]] = pref.sort %[[S]] over row
  // CHECK-NEXT: pref.mul %[[A]], %[[S]]
  %x = pref.logprob policy(chosen)
  %s = pref.sum %x over token
  %a = pref.sort %s over row
  %b = pref.sort %a over row
  %c = pref.mul %b, %s
  %l = pref.sum %c over row
  pref.yield %l
}

// Another key decides another order.
// CHECK-LABEL: pref.objective @other_key
pref.objective @other_key {
  // CHECK: pref.sort
  // CHECK-NEXT: pref.unsort
  %x = pref.logprob policy(chosen)
  %s = pref.sum %x over token
  %m = pref.mean %x over token
  %a = pref.sort %s over row
  %b = pref.unsort %a by %m over row
  %c = pref.mul %b, %s
  %l = pref.sum %c over row
  pref.yield %l
}

// CHECK-LABEL: pref.objective @no_decay
pref.objective @no_decay {
  // CHECK-NOT: pref.scan
  // CHECK: pref.sum %policy_chosen over token
  %z = pref.constant 0
  %x = pref.logprob policy(chosen)
  %y = pref.scan %x, %z over token
  %s = pref.sum %y over token
  %l = pref.sum %s over row
  pref.yield %l
}

// The count of all ranks' rows is not the count of these.
// CHECK-LABEL: pref.objective @ranks
pref.objective @ranks {
  // CHECK: %[[B:.*]] = pref.broadcast %h to [row]
  // CHECK: pref.sum %[[B]] over row scope ranks
  %h = pref.hyper "h" default 1 in (0, 2)
  %x = pref.logprob policy(chosen)
  %s = pref.sum %x over token
  %b = pref.broadcast %h to [row]
  %r = pref.sum %b over row scope ranks
  %n = pref.div %s, %r
  %l = pref.sum %n over row
  pref.yield %l
}
