// What travels must be described, so that no field gets lost on the way.

struct Question;

#[labrpc::service]
trait PlainArgument {
    fn ask(&self, args: Question) -> u64;
}

fn main() {}
