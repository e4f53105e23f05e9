//! What is said of a violation.

use linearizability::models::{
    CasInput, CasOutput, CasRegister, Register, RegisterInput, RegisterOutput,
};
use linearizability::{
    Answer, History, Limits, Means, Model, Operation, Violation, check, check_by,
};

fn violation<M: Model>(
    model: &M,
    operations: Vec<Operation<M::Input, M::Output>>,
) -> Violation<M::Key> {
    let history = History::new(operations).unwrap();
    match check_by(model, &history, &[Means::Search], &Limits::default()).answer {
        Answer::NotLinearizable(violation) => violation,
        Answer::Linearizable(order) => panic!("there is an order: {order:?}"),
        Answer::Undecided(undecided) => panic!("undecided: {:?}", undecided.open),
    }
}

fn swap(client: u64, from: u8, to: u8, at: u64) -> Operation<CasInput<u8>, CasOutput<u8>> {
    Operation::new(client, 0, CasInput::Cas { from, to }, at, CasOutput::Swapped(true))
}

fn write(
    client: u64,
    call: u64,
    value: u8,
    at: u64,
) -> Operation<RegisterInput<u8>, RegisterOutput<u8>> {
    Operation::new(client, call, RegisterInput::Write(value), at, RegisterOutput::Written)
}

fn read(
    client: u64,
    call: u64,
    value: u8,
    at: u64,
) -> Operation<RegisterInput<u8>, RegisterOutput<u8>> {
    Operation::new(client, call, RegisterInput::Read, at, RegisterOutput::Value(value))
}

#[test]
fn each_operation_is_shown_in_the_longest_order_with_it() {
    let cas = CasRegister { initial: 0 };
    let operations = vec![swap(0, 0, 1, 10), swap(1, 1, 2, 11), swap(2, 0, 3, 12)];
    let violation = violation(&cas, operations);
    assert_eq!(violation.culprit, 2, "the two before it fit");
    assert_eq!(violation.operations, [1, 2], "who found 1 comes behind what changed the 0");
    assert_eq!(violation.orders, [vec![0, 1], vec![2]], "the longest comes first");
    assert_eq!(violation.longest_with(0), Some(&[0, 1][..]));
    assert_eq!(violation.longest_with(1), Some(&[0, 1][..]));
    assert_eq!(violation.longest_with(2), Some(&[2][..]));
    assert_eq!(violation.longest_with(9), None);
}

#[test]
fn of_orders_that_are_as_long_the_first_is_kept() {
    let register = Register { initial: 0 };
    let operations = vec![write(0, 0, 1, 10), write(1, 0, 2, 11), read(2, 0, 3, 12)];
    let violation = violation(&register, operations);
    assert_eq!(violation.orders, [[0, 1]], "what returns first is tried first");
}

#[test]
fn it_becomes_certain_with_the_first_return_that_no_order_reaches() {
    let register = Register { initial: 0 };
    // Each of the two reads is wrong by itself.
    let operations = || {
        vec![
            write(0, 0, 1, 1),
            read(1, 2, 0, 9),
            read(2, 3, 7, 8),
            write(3, 10, 2, 11),
            read(4, 12, 2, 13),
        ]
    };
    for means in [&[Means::Search][..], &[Means::Distinct]] {
        let history = History::new(operations()).unwrap();
        let answer = check_by(&register, &history, means, &Limits::default()).answer;
        let Answer::NotLinearizable(violation) = answer else { panic!("{answer:?}") };
        assert_eq!(violation.culprit, 2);
        assert_eq!(violation.operations, [2]);
        assert!(violation.minimal);
        assert!(violation.orders.iter().all(|order| !order.contains(&3)), "not called by then");
    }
}

#[test]
fn what_is_wrong_from_the_first_return_on_is_certain_with_it() {
    let register = Register { initial: 0 };
    let operations = vec![read(0, 0, 7, 1), write(1, 2, 1, 3), read(2, 4, 1, 5)];
    let violation = violation(&register, operations);
    assert_eq!((violation.culprit, violation.operations), (0, vec![0]));
}

#[test]
fn what_is_under_way_may_still_have_any_output() {
    // No order of all reaches the read's return. But up to there the other one may still succeed.
    let cas = CasRegister { initial: 0 };
    let fails =
        Operation::new(0, 0, CasInput::Cas { from: 0, to: 1 }, 20, CasOutput::Swapped(false));
    let sees = Operation::new(1, 1, CasInput::Read, 5, CasOutput::Value(1));
    let later = Operation::new(1, 30, CasInput::Read, 31, CasOutput::Value(1));
    let violation = violation(&cas, vec![fails, sees, later]);
    // And nothing else changes what it looked for.
    assert_eq!((violation.culprit, violation.operations), (0, vec![0]));
}

#[test]
fn a_violation_of_one_key_says_which() {
    use linearizability::models::{Kv, KvInput, KvOutput};
    let get = |key: &str, value: &str, call| {
        let (input, output) = (KvInput::Get { key: key.into() }, KvOutput::Value(value.into()));
        Operation::new(call, call, input, call + 1, output)
    };
    let history = History::new(vec![get("a", "", 0), get("b", "", 2), get("b", "x", 4)]).unwrap();
    let report = check(&Kv, &history, &Limits::default());
    let Answer::NotLinearizable(violation) = report.answer else { panic!("{report:?}") };
    assert_eq!((&violation.key[..], violation.culprit), ("b", 2));
    assert_eq!(report.work.objects, 2);
}

#[test]
fn a_culprit_that_was_not_decided_is_not_kept_for_its_own_sake() {
    // Whether it was certain with the wrong read is as hard to say as the decision, of which a part of
    // an explanation gets a third. What came later is right.
    let register = Register { initial: 0 };
    let mut operations: Vec<_> = (0..9).map(|n| write(n, 0, 1, 10)).collect();
    operations.extend([read(20, 0, 99, 11), write(21, 20, 2, 21), read(22, 22, 2, 23)]);
    let history = History::new(operations).unwrap();
    let decided = |steps| {
        let limits = Limits { steps, ..Limits::default() };
        let answer = check_by(&register, &history, &[Means::Search], &limits).answer;
        !matches!(answer, Answer::Undecided(_))
    };
    let decision = (0..).find(|hundreds| decided(100 * hundreds)).unwrap() * 100;
    for steps in (decision..4 * decision).step_by(decision as usize / 8) {
        let limits = Limits { steps, ..Limits::default() };
        let report = check_by(&register, &history, &[Means::Search], &limits);
        let Answer::NotLinearizable(violation) = &report.answer else { panic!("{report:?}") };
        assert_eq!((violation.culprit, &violation.operations[..]), (9, &[9][..]), "{steps}");
        assert!(violation.minimal, "{steps}");
        assert!(violation.orders.iter().all(|order| order.iter().all(|&other| other < 9)));
    }
}
